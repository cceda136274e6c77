"""The server that everyone reads from: one of the lab's, with lineitem and payments, and what is asked of it."""

import glob
import json
import os
import shutil
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Sessions, but for those whose transactions stay open on purpose.
CLIENTS = "backend_type = 'client backend' AND state <> 'idle in transaction'"


def psql(url):
    """The command of psql, quiet, and stopped by the first error."""
    found = shutil.which("psql") or max(glob.glob("/usr/lib/postgresql/*/bin/psql"), default=None)
    if found is None:
        sys.exit("psql is not there: tests/setup installs it")
    return [found, "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", url]


class Server:
    """Started by `tidegate-lab postgres --scale`; it ends with this process."""

    def __init__(self, program, scale):
        arguments = [program, "postgres", "--scale", str(scale)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        told = json.loads(self.process.stdout.readline())
        self.url, self.pid = told["url"], told["pid"]

    def run(self, sql):
        done = subprocess.run([*psql(self.url), "-c", sql], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{sql}: {done.stderr}")
        return done.stdout.strip()

    def session(self):
        return Session(self.url)

    def cpu(self):
        """CPU seconds of all sessions that have ended. Waits for those that are about to."""
        ended = time.monotonic() + 5
        while self.run(f"SELECT count(*) FROM pg_stat_activity WHERE {CLIENTS}") != "1":
            if time.monotonic() > ended:
                break
            time.sleep(0.02)
        time.sleep(0.02)
        with open(f"/proc/{self.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / TICKS

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Session:
    """A session that stays open, for transactions that do."""

    def __init__(self, url):
        self.process = subprocess.Popen(psql(url), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def run(self, sql):
        """Returns once the statement has ended."""
        self.process.stdin.write(f"{sql};\n\\echo done\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.strip() == "done":
                return
        raise RuntimeError(f"the session ended at: {sql}")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
