//! A run of the binary that is under way: it can be signalled, killed and waited for.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::run::Ran;

/// Longer than any run of a test takes, so that only one that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A process that is killed with this value.
pub(crate) struct Running {
    child: Child,
    streams: Option<[JoinHandle<String>; 2]>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built");
        // Read all the while: a full pipe would stop the process.
        let streams = [
            gathered(child.stdout.take().expect("it is piped")),
            gathered(child.stderr.take().expect("it is piped")),
        ];
        Self { child, streams: Some(streams) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_some()
    }

    /// Sends `TERM`, `INT`, …
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill is always there").success(), "{name} was not taken");
    }

    /// Ends it at once, as `kill -9` does. False where it had ended by itself.
    pub(crate) fn kill(mut self) -> bool {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child").signal() == Some(9)
    }

    /// Waits for its end, and returns the signal that it ended by, if it was one, with what it printed.
    pub(crate) fn wait_for_signal(mut self) -> (Option<i32>, Ran) {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        let signal = self.child.try_wait().expect("it is our child").and_then(|status| status.signal());
        (signal, self.wait())
    }

    /// Whether it is stopped, as by SIGSTOP.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ran {
        let deadline = Instant::now() + PATIENCE;
        while !self.has_ended() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let [stdout, stderr] = self.printed();
                panic!("it does not end\nstdout {stdout}\nstderr {stderr}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let code = self.child.wait().expect("it is our child").code().unwrap_or(-1);
        let [stdout, stderr] = self.printed();
        Ran { code, stdout, stderr }
    }

    fn printed(&mut self) -> [String; 2] {
        let streams = self.streams.take().expect("taken once, at the end");
        streams.map(|thread| thread.join().expect("it prints UTF-8"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gathered(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it prints UTF-8");
        text
    })
}
