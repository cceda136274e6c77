"""Troubles that a test orders, and the log of what was asked."""

import itertools
import re
import threading
import time

from refusal import Hangup, Refusal, Status


class Faults:
    """What shall go wrong in one account. Each fault strikes `times`, the first time after `skip` others.

    `on` says where: `login`, `query`, `renew`, `poll`, `stage` or `any`; `matching` is a pattern the SQL
    or the path must contain. What happens, by `kind`:

    status      an HTTP `status` instead of an answer, with `retry_after` where given
    error       a refusal by `code` and `message`, nothing is run
    hangup      the connection ends; `moment` says `before` or `after` the statement ran
    truncate    the statement ran, half of the answer arrives
    delay       `seconds` pass first; a statement runs while they do, and may be aborted
    expire      the session's token is no longer good (390112): it must be renewed
    forget      the session is gone and its transaction with it; the refusal is `code`
    polls       the answer comes after `polls` empty ones (`code` 333334, then 333333)
    rows        COPY tells `rows` more rows loaded than were, and the first file's `status`
    credentials the credentials of stages that are given out next last `seconds`
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._faults = []

    def add(self, fault):
        fault.setdefault("times", 1)
        fault.setdefault("skip", 0)
        fault.setdefault("on", "query")
        if fault.get("matching"):
            re.compile(fault["matching"])
        with self._lock:
            self._faults.append(fault)

    def clear(self):
        with self._lock:
            self._faults.clear()

    def left(self):
        with self._lock:
            return len(self._faults)

    def take(self, on, text, kinds, **more):
        """The first fault that strikes here, counted down; none where nothing shall go wrong."""
        with self._lock:
            for fault in self._faults:
                if fault["kind"] not in kinds or fault["on"] not in (on, "any"):
                    continue
                if any(fault.get(key, value) != value for key, value in more.items()):
                    continue
                if not re.search(fault.get("matching") or "", text, re.IGNORECASE):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self._faults.remove(fault)
                return fault
        return None

    def strike(self, on, text):
        """Troubles that need nothing to have run."""
        if on != "query" and (fault := self.take(on, text, {"delay"})):
            time.sleep(fault["seconds"])
        if fault := self.take(on, text, {"status"}):
            retry = {"Retry-After": str(fault["retry_after"])} if "retry_after" in fault else {}
            raise Status(fault["status"], retry)
        if self.take(on, text, {"hangup"}, moment="before"):
            raise Hangup
        if fault := self.take(on, text, {"error"}):
            raise Refusal(
                fault["code"], fault.get("message", "ordered by the test"), fault.get("state", "XX000")
            )


class Log:
    """Every statement that arrived, in order."""

    def __init__(self):
        self._lock = threading.Lock()
        self._entries = []
        self._numbers = itertools.count(1)

    def add(self, **entry):
        entry = {"number": next(self._numbers), "outcome": None, **entry}
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self, since=0):
        with self._lock:
            return [dict(entry) for entry in self._entries if entry["number"] > since]
