"""Transactions as the service has them, over those of DuckDB.

DuckDB gives a transaction one snapshot, and any error ends it. The service reads what is committed at
each statement, takes an error back alone, and lets writers of one table wait for each other. So a
transaction keeps a journal of what it ran: where DuckDB's own transaction is spoilt by an error, or its
snapshot has grown old, a new one is begun and the journal run again.
"""

import itertools
import threading
import time

import duckdb

from refusal import Refusal, canceled

_numbers = itertools.count(1_700_000_000_000_000_000, 1_000_003)


class Tables:
    """What is locked and what has been committed, of one account."""

    def __init__(self):
        self._changed = threading.Condition()
        self._locks = {}
        self._commits = {}
        self._count = 0

    def lock(self, table, owner, patience, is_given_up):
        """Waits until nobody else changes the table."""
        deadline = time.monotonic() + patience
        with self._changed:
            while self._locks.get(table, owner) is not owner:
                if is_given_up():
                    raise canceled()
                left = deadline - time.monotonic()
                if left <= 0:
                    other = self._locks[table].number
                    raise Refusal(
                        625,
                        f"Statement has locked table '{'.'.join(table)}' in transaction {other} and this lock has not "
                        "yet been released. Your statement was aborted because the lock timed out.",
                        "57014",
                    )
                self._changed.wait(min(left, 0.05))
            self._locks[table] = owner

    def release(self, owner, written=()):
        with self._changed:
            self._locks = {table: holder for table, holder in self._locks.items() if holder is not owner}
            if written:
                self._count += 1
                self._commits.update(dict.fromkeys(written, self._count))
            self._changed.notify_all()

    def held(self):
        with self._changed:
            return [
                [".".join(table), "PARTITIONS", str(owner.number), None, "HOLDING", None, None]
                for table, owner in self._locks.items()
            ]

    def now(self):
        with self._changed:
            return self._count

    def is_newer(self, tables, moment):
        with self._changed:
            return any(self._commits.get(table, 0) > moment for table in tables)


class Transaction:
    """A transaction of one session, or of one statement."""

    def __init__(self, duck, tables):
        self._duck, self._tables = duck, tables
        self.number = next(_numbers)
        self.written = set()
        # What the journal needs, kept until the end.
        self.held = []
        self._journal = []

    def begin(self):
        self._moment = self._tables.now()
        self._duck.execute("BEGIN TRANSACTION")

    def renew(self):
        """The same transaction over what is committed now."""
        _patiently(self._repeat, lambda: None)

    def _repeat(self):
        self._end("ROLLBACK")
        self.begin()
        for step in self._journal:
            step()

    def run(self, step, reads, writes):
        """Runs a step; one that fails leaves no trace."""
        if self._tables.is_newer(reads, self._moment):
            self.renew()
        try:
            result = _patiently(step, self.renew)
        except BaseException:
            self.renew()
            raise
        if writes:
            self._journal.append(step)
            self.written.update(writes)
        return result

    def commit(self):
        try:
            self._duck.execute("COMMIT")
        except duckdb.TransactionException:
            self.renew()
            self._duck.execute("COMMIT")
        self._tables.release(self, self.written)

    def rollback(self):
        self._end("ROLLBACK")
        self._tables.release(self)

    def _end(self, how):
        try:
            self._duck.execute(how)
        except duckdb.TransactionException:
            # It is over already.
            pass


def run_alone(step):
    return _patiently(step, lambda: None)


def _patiently(step, again):
    """DuckDB refuses writers that meet by chance, where the service lets one wait."""
    for turn in itertools.count():
        try:
            return step()
        except Refusal as error:
            is_conflict = (
                isinstance(error.__cause__, duckdb.TransactionException) and "onflict" in error.message
            )
            if not is_conflict or turn == 200:
                raise
        except duckdb.TransactionException as error:
            if "onflict" not in str(error) or turn == 200:
                raise
        time.sleep(0.02)
        again()
