"""Measures tidegate beside its peers. One command does everything:

    python3 benches/peers/run.py

See README.md beside this file.
"""

import argparse
import datetime
import decimal
import hashlib
import importlib
import json
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(ROOT, "target", "peers")
FILES = ["copy", "tidegate", "duckdb", "connectorx", "adbc", "dlt", "ingestr", "sling"]
JOBS = ["load", "increment", "late"]
TIMEOUT = 3600


def arguments():
    parser = argparse.ArgumentParser(description="Measures tidegate beside its peers.")
    parser.add_argument("--scale", default="1", help="of the tables; 1: six million lineitem, three million payments")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="+", choices=FILES, default=FILES)
    parser.add_argument("--tables", nargs="+", choices=["lineitem", "payments"], default=["lineitem", "payments"])
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--patience", type=float, default=120, help="who needs so many seconds for a load is asked once only")
    parser.add_argument("--results", default=os.path.join(ROOT, "benches", "results"), help="folder")
    parser.add_argument("--busy", action="store_true", help="other work is going on here: tell no times by the clock")
    parser.add_argument("--note", default="", help="a sentence about the circumstances, for the results")
    parser.add_argument("--no-build", action="store_true", help="take target/release, or $TIDEGATE, as it is")
    return parser.parse_args()


def enter_environment():
    """Goes on in a private environment with what requirements.txt names."""
    folder = os.path.join(WORK, "venv")
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "stamp")
    with open(os.path.join(HERE, "requirements.txt"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    if os.path.realpath(sys.prefix) == os.path.realpath(folder):
        return
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        print(f"installing into {folder}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", os.path.join(HERE, "requirements.txt")], check=True)
        with open(stamp, "w") as file:
            file.write(wanted)
    # Nothing is left among the sources.
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])


class Runner:
    def __init__(self, options, server):
        from measure import run

        self.options, self.server, self.measure = options, server, run
        self.log = os.path.join(WORK, "log")
        # Where in the log the last run begins.
        self.begin = 0

    def folder(self, peer, table):
        return os.path.join(WORK, "out", peer.schema or peer.name.replace(" ", "_"), table)

    def fresh(self, peer, table):
        folder = self.folder(peer, table)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)

    def once(self, peer, table, job):
        """One run of a peer, and what it cost."""
        before = self.server.cpu()
        command = peer.command(self.server.url, table, self.folder(peer, table), job)
        os.sync()
        self.begin = os.path.getsize(self.log)
        cost = self.measure(command, peer.environment, self.log, TIMEOUT)
        print(f"{table:9} {job:9} {peer.name:20} {cost.wall:8.2f} s  exit {cost.exit}", flush=True)
        return {**vars(cost), "server": self.server.cpu() - before}

    def check(self, peer, table):
        command = [sys.executable, os.path.join(HERE, "check.py"), os.path.join(self.folder(peer, table), "data"), table]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def failure(self):
        """The last line that the last run printed."""
        with open(self.log, "rb") as file:
            file.seek(self.begin)
            lines = [line.decode(errors="replace").strip() for line in file if line.strip()]
        said = lines[-1] if lines else "it says nothing"
        return said.replace(self.server.url, "URL").replace(ROOT, ".").replace("|", "/")[:200]

    def load(self, peers, table):
        """Rounds of first loads. The one before the first is checked, and the last of those that fail is told."""
        found = {peer.name: {"runs": [], "check": None, "failure": None} for peer in peers}
        for number in range(self.options.rounds + 1):
            for peer in turn(peers, number):
                entry = found[peer.name]
                tried = entry["failure"] or any(run["wall"] > self.options.patience for run in entry["runs"])
                if tried:
                    continue
                self.fresh(peer, table)
                run = self.once(peer, table, "load")
                if run["exit"]:
                    entry["failure"] = self.failure()
                elif number == 0 and not peer.name.startswith("COPY"):
                    entry["check"] = self.check(peer, table)
                entry["runs"].append({"round": number, **run})
                if "increment" not in peer.jobs or table != "payments":
                    shutil.rmtree(self.folder(peer, table))
        return found

    def increment(self, peers):
        """Rounds of increments into what the last load left: some rows change, everyone reads twice."""
        found = {
            peer.name: {"finds": peer.finds, "new": [], "nothing": [], "read": [], "failure": None} for peer in peers
        }
        count = {peer.name: self.check(peer, "payments")["rows"] for peer in peers}
        for number in range(self.options.rounds + 1):
            remainder = number % 100
            self.server.run(f"UPDATE payments SET status = 'refunded', updated_at = now() WHERE id % 100 = {remainder}")
            self.server.run("VACUUM ANALYZE payments")
            for kind in ("new", "nothing"):
                for peer in turn(peers, number):
                    entry = found[peer.name]
                    if entry["failure"]:
                        continue
                    run = self.once(peer, "payments", "increment")
                    if run["exit"]:
                        entry["failure"] = self.failure()
                    elif number > 0:
                        entry[kind].append(run)
            for peer in peers:
                if not found[peer.name]["failure"]:
                    now = self.check(peer, "payments")["rows"]
                    found[peer.name]["read"].append(now - count[peer.name])
                    count[peer.name] = now
        return found

    def late(self, peers):
        """What increments lose of transactions that commit late."""
        import late

        failures = {}

        def sync(peer, job):
            if peer.name in failures:
                return
            if job == "load":
                self.fresh(peer, "late")
                if peer.schema:
                    self.server.run(f"DROP SCHEMA IF EXISTS {peer.schema} CASCADE; CREATE SCHEMA {peer.schema}")
            if self.once(peer, "late", job)["exit"]:
                failures[peer.name] = self.failure()

        late.run(self.server, peers, sync)
        found = []
        for peer in peers:
            failure = failures.get(peer.name)
            counts = {} if failure else late.account(self.server, peer, self.folder(peer, "late"))
            found.append({"name": peer.name, "finds": peer.finds, "failure": failure, **counts})
        return found


def turn(peers, number):
    """Each round begins with another."""
    at = number % len(peers)
    return peers[at:] + peers[:at]


def source(server, table):
    """What the server says of a table: rows and sums."""
    from tables import SUMS

    count, *sums = server.run(f"SELECT count(*), {', '.join(sql for sql, _, _ in SUMS[table])} FROM {table}").split("|")
    columns = [column for _, column, _ in SUMS[table]]
    normal = [str(decimal.Decimal(value).normalize()) for value in sums]
    return {"rows": int(count), "sums": dict(zip(columns, normal))}


def machine(server):
    def first(path, start):
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(start)), platform.machine())

    memory = int(first("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": first("/proc/cpuinfo", "model name"),
        "memory": f"{memory:.0f} GiB of memory",
        "postgres": server.run("SHOW server_version").split()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def tidegate_version():
    import with_tidegate

    lines = subprocess.run([with_tidegate.PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    return " ".join(line.split()[-1] for line in lines.splitlines()[:2])


def main():
    options = arguments()
    enter_environment()
    if not options.no_build:
        build = ["cargo", "build", "--release", "--locked", "--package", "tidegate", "--package", "tidegate-lab"]
        subprocess.run(build, check=True, cwd=ROOT)
    from server import Server

    os.makedirs(WORK, exist_ok=True)
    open(os.path.join(WORK, "log"), "w").close()
    peers = [peer for name in options.peers for peer in importlib.import_module(f"with_{name}").PEERS]
    print(f"filling a server at scale {options.scale}", flush=True)
    server = Server(os.path.join(ROOT, "target", "release", "tidegate-lab"), options.scale)
    try:
        measure(options, server, peers)
    finally:
        server.stop()
        shutil.rmtree(os.path.join(WORK, "out"), ignore_errors=True)


def write(result, folder):
    """What there is so far."""
    from report import markdown

    os.makedirs(folder, exist_ok=True)
    stem = os.path.join(folder, f"{result['date']}-peers")
    with open(f"{stem}.json", "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    with open(f"{stem}.md", "w") as file:
        file.write(markdown(result))
    print(f"{stem}.md", flush=True)


def measure(options, server, peers):
    runner = Runner(options, server)
    able = lambda job: [peer for peer in peers if job in peer.jobs]
    tables = {table: source(server, table) for table in options.tables}
    result = {
        "date": datetime.date.today().isoformat(),
        "scale": options.scale,
        "rounds": options.rounds,
        "busy": options.busy,
        "note": options.note,
        "command": " ".join(["python3 benches/peers/run.py", *sys.argv[1:]]),
        "machine": machine(server),
        "peers": [
            {"name": peer.name, "version": peer.version() or "", "settings": peer.settings}
            for peer in peers
            if peer.packages or peer.name == "tidegate"
        ],
        "tables": tables,
        "load": {},
        "increment": {},
        "late": [],
        "without": {peer.name: peer.lacks for peer in peers if peer.lacks},
        "not_run": {"Airbyte": "its PostgreSQL connector comes as a container image only, not from a package registry."},
    }
    for peer in result["peers"]:
        if peer["name"] == "tidegate":
            peer["version"] = tidegate_version()
    if "late" in options.jobs:
        result["late"] = runner.late(able("late"))
        write(result, options.results)
    if "load" in options.jobs:
        for table in options.tables:
            result["load"][table] = runner.load(able("load"), table)
            write(result, options.results)
    if {"load", "increment"} <= set(options.jobs) and "payments" in tables:
        loaded = result["load"]["payments"]
        apt = [peer for peer in able("increment") if not loaded[peer.name]["failure"]]
        result["new_rows"] = int(server.run("SELECT count(*) FROM payments WHERE id % 100 = 1"))
        result["increment"] = runner.increment(apt)
        write(result, options.results)


if __name__ == "__main__":
    main()
