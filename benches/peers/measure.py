"""What a process and its children cost."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

MEGABYTE = 1 << 20
EVERY = 0.01


@dataclass
class Cost:
    wall: float
    # User and system, of the process and all children that it waited for.
    cpu: float
    # The greatest sum over the process and its descendants, in MiB.
    rss: float
    exit: int


def run(arguments, environment, log, timeout):
    """Runs a command to its end. What it prints goes to the file `log`."""
    with open(log, "ab") as output:
        start = time.monotonic()
        process = subprocess.Popen(
            arguments,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        watch = Watch(process.pid, start + timeout)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            # A key was pressed, which only this process hears of.
            os.killpg(process.pid, signal.SIGKILL)
            raise
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        return Cost(wall, usage.ru_utime + usage.ru_stime, watch.end() / MEGABYTE, process.returncode)


class Watch(threading.Thread):
    """Looks at the memory of a process and its descendants every ten milliseconds, and ends it when it is late.

    The kernel's own sum (`ru_maxrss`) holds the memory of the process that started it, and only the largest of several.
    """

    def __init__(self, pid, deadline):
        super().__init__(daemon=True)
        self.pid, self.deadline, self.peak, self.ended = pid, deadline, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(EVERY):
            found = [memory(pid) for pid in descendants(self.pid)]
            now = sum(resident for resident, _ in found)
            self.peak = max(self.peak, now, *(highest for _, highest in found), 0)
            if time.monotonic() > self.deadline:
                os.killpg(self.pid, signal.SIGKILL)

    def end(self):
        self.ended.set()
        self.join()
        return self.peak


def memory(pid):
    """Resident bytes of a process, and the most there have been."""
    found = {"VmRSS:": 0, "VmHWM:": 0}
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                name, *rest = line.split()
                if name in found:
                    found[name] = int(rest[0]) * 1024
    except OSError:
        pass
    return found["VmRSS:"], found["VmHWM:"]


def descendants(pid):
    """The process itself and all that came of it."""
    found, rest = [], [pid]
    while rest:
        pid = rest.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    rest += map(int, file.read().split())
        except OSError:
            pass
    return found
