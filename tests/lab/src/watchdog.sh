# Runs one server in a directory of its own, and outlives the process that asked for it by just as
# long as it takes to stop the server and remove the directory.
#
# Arguments: the directory, and the signals that stop the server, gentlest first.
# Input: orders, one a line: "start" runs the file `run` in the directory, "stop SIGNAL..." stops
# it. The end of the input is the end of the asker, however it came about.
cd /
directory=$1
signals=$2

has_ended() { [ ! -e "$directory/pid" ] || [ -e "$directory/exit" ]; }

start() {
    rm -f "$directory/pid" "$directory/exit"
    {
        sh "$directory/run" &
        echo $! >"$directory/pid.new"
        mv "$directory/pid.new" "$directory/pid"
        wait $!
        echo $? >"$directory/exit"
    } </dev/null >>"$directory/log" 2>&1 &
    until [ -e "$directory/pid" ]; do sleep 0.01; done
}

stop() {
    for signal in "$@"; do
        has_ended && return
        read -r pid <"$directory/pid"
        kill -s "$signal" "$pid"
        kill -s CONT "$pid"
        tries=0
        until has_ended || [ $tries -ge 200 ]; do
            tries=$((tries + 1))
            sleep 0.05
        done
    done
}

while read -r order arguments; do
    case $order in
    start) start ;;
    stop) stop $arguments ;;
    esac
done

stop $signals
if [ -e "$directory/litter" ]; then
    while read -r path; do rm -f "$path"; done <"$directory/litter"
fi
# What the server leaves running for a moment may still write.
tries=0
until rm -rf "$directory" || [ $tries -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.05
done
