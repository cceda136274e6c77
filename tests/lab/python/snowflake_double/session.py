"""A session: its tokens, its place, its transaction, and the running of its statements."""

import secrets
import threading
import time

from sqlglot import exp

import commands
import copy_into
import definitions
import engine
import merge
import rows
import shows
import stage_commands
from names import plain, quoted
from refusal import Refusal, canceled, missing
from statement import name_of
from transaction import Transaction, run_alone

HOUR = 3600
DAY = 24 * HOUR
DEFAULTS = {
    "TIMEZONE": "America/Los_Angeles",
    "AUTOCOMMIT": "true",
    "QUERY_TAG": "",
    "LOCK_TIMEOUT": "43200",
    "STATEMENT_TIMEOUT_IN_SECONDS": "172800",
    "QUOTED_IDENTIFIERS_IGNORE_CASE": "false",
    "CLIENT_SESSION_KEEP_ALIVE": "false",
    "ABORT_DETACHED_QUERY": "false",
    "ERROR_ON_NONDETERMINISTIC_MERGE": "true",
    "ERROR_ON_NONDETERMINISTIC_UPDATE": "false",
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": "0",
    "TRANSACTION_ABORT_ON_ERROR": "false",
}


class Session:
    def __init__(self, account, user, parameters, validity=HOUR):
        self.account, self.user = account, user
        self.id = secrets.randbits(48)
        self.parameters = DEFAULTS | {key.upper(): _text(value) for key, value in parameters.items()}
        self.warehouse = self.role = self.last_query = None
        self.wants_arrow = False
        self.connection = account.engine.connect()
        self.lock = threading.RLock()
        self.transaction = None
        self.given_up = threading.Event()
        self.validity = validity
        self.renew()

    def renew(self):
        self.token, self.master = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self.expires = time.monotonic() + self.validity

    def use(self, database, schema):
        """Takes a place to work in; what is not there is not taken, as at login."""
        duck, names = self.connection._duck_conn, self.account.names
        database, schema = (name and names.encode(name) for name in (database, schema))
        if not database or (database,) not in self.account.databases():
            return False
        is_there = (
            schema
            and duck.execute(
                "SELECT 1 FROM information_schema.schemata WHERE catalog_name = ? AND schema_name = ?",
                [database, schema],
            ).fetchone()
        )
        self.connection.database, self.connection.database_set = database, True
        self.connection._schema, self.connection.schema_set = (schema, True) if is_there else (None, False)
        place = quoted((database, schema if is_there else "main"))
        duck.execute(f"SET schema = '{place.replace(chr(39), chr(39) * 2)}'")
        return bool(is_there or not schema)

    def qualify(self, table):
        parts = [name_of(part) for part in table.parts if isinstance(part, exp.Identifier)]
        return self.complete(parts)

    def complete(self, parts):
        """The name of an object with database and schema."""
        place = [self.connection.database, self.connection._schema]
        named = [self.account.names.encode(part) for part in parts[-3:]]
        full = tuple(place[: 3 - len(parts)]) + tuple(named)
        if None in full:
            raise Refusal(
                90105,
                "Cannot perform operation. This session does not have a current database. "
                "Call 'USE DATABASE', or use a qualified name.",
                "22000",
            )
        return full

    def columns_of(self, table):
        """The columns of a table and their types in DuckDB, in order; empty where there is no such table.

        Columns are named as the service does.
        """
        found = self.connection._duck_conn.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name IN (?, 'temp') "
            "AND schema_name IN (?, 'main') AND table_name = ? ORDER BY column_index",
            list(table),
        ).fetchall()
        return {plain(name): kind for name, kind in found}

    def has_table(self, table):
        return bool(self.columns_of(table))

    def need_schema_of(self, name):
        """Raises where the schema of an object is not there."""
        found = self.connection._duck_conn.execute(
            "SELECT 1 FROM information_schema.schemata WHERE catalog_name = ? AND schema_name = ?",
            list(name[:2]),
        ).fetchone()
        if not found:
            raise missing("Schema", ".".join(name[:2]))

    def execute(self, statement, delay=0):
        """Runs one statement to its end, after so many seconds."""
        with self.lock:
            self.given_up.clear()
            timeout = float(self.parameters["STATEMENT_TIMEOUT_IN_SECONDS"])
            timer = threading.Timer(min(timeout, threading.TIMEOUT_MAX), self.give_up) if timeout else None
            start = time.monotonic()
            try:
                if timer and timeout < DAY:
                    timer.start()
                if self.given_up.wait(delay) if delay else False:
                    raise canceled()
                result = self._execute(statement)
                self.last_query = statement.query_id
                return result
            except Refusal as refusal:
                if refusal.code == "000604" and timeout and time.monotonic() - start >= timeout:
                    raise Refusal(
                        630,
                        f"Statement reached its statement or warehouse timeout of {timeout:.0f} "
                        "second(s) and was canceled.",
                        "57014",
                    ) from refusal
                raise
            finally:
                if timer:
                    timer.cancel()

    def give_up(self):
        """Ends the statement that runs; it answers that it was canceled."""
        self.given_up.set()
        self.connection._duck_conn.interrupt()

    def _execute(self, statement):
        statement.settle(self.account.names)
        statement.check_count()
        self.account.grants.check(self, statement)
        if statement.needs_warehouse() and self.warehouse is None:
            raise Refusal(
                606,
                "No active warehouse selected in the current session.  Select an active "
                "warehouse with the 'use warehouse' command.",
                "57P03",
            )
        if statement.is_ddl() and self.transaction:
            self.commit()
        with engine.errors():
            return self._dispatch(statement)

    def _dispatch(self, statement):
        for answer in (commands.answer, stage_commands.answer, definitions.answer):
            if (result := answer(self, statement)) is not None:
                return result
        if statement.begins("COPY", "INTO"):
            return copy_into.run(self, statement)
        if isinstance(statement.expression, exp.Merge):
            return self.change(statement, lambda: merge.run(self, statement))
        if statement.changes_rows():
            return self.change(statement, lambda: self.run(statement))
        if statement.is_query():
            return self.read(statement, lambda: self.run(statement))
        return definitions.run(self, statement)

    def run(self, statement):
        expression = statement.expression
        commands.fill_in(self, expression)
        columns, table = engine.run(self.connection, expression, statement.bindings)
        result = rows.from_arrow(columns or rows.columns_of(table), table, statement.type_id)
        if isinstance(expression, exp.Show):
            return shows.refine(self, statement, result)
        if statement.changes_rows():
            counts = [int(value) for value in result.rows[0]] if result.rows else [0]
            key = {exp.Update: "Updated", exp.Delete: "Deleted"}.get(type(expression), "Inserted")
            result.changed = {"Inserted": 0, "Updated": 0, "Deleted": 0} | {key: counts[0]}
        return result

    def read(self, statement, step):
        if self.transaction:
            return self.transaction.run(step, statement.tables(self), ())
        return run_alone(step)

    def change(self, statement, step, target=None):
        """Runs a step that changes rows, in the open transaction or in one of its own."""
        target = target or statement.target(self)
        single = None if self.transaction else Transaction(self.connection._duck_conn, self.account.tables)
        transaction = self.transaction or single
        is_copy = statement.begins("COPY")
        takes_turns = not is_copy and statement.takes_turns()
        if takes_turns:
            patience = float(self.parameters["LOCK_TIMEOUT"])
            self.account.tables.lock(target, transaction, patience, self.given_up.is_set)
        if single is None:
            reads = set() if is_copy else statement.tables(self)
            return transaction.run(step, reads if takes_turns else reads - {target}, {target})
        single.begin()
        try:
            result = single.run(step, (), {target})
        except BaseException:
            single.rollback()
            raise
        single.commit()
        return result

    def begin(self):
        if self.transaction is None:
            self.transaction = Transaction(self.connection._duck_conn, self.account.tables)
            self.transaction.begin()
            self.account.transactions[self.transaction.number] = self

    def commit(self):
        if transaction := self._take():
            transaction.commit()
            self.account.loads.settle(transaction, True)

    def rollback(self):
        if transaction := self._take():
            transaction.rollback()
            self.account.loads.settle(transaction, False)

    def _take(self):
        transaction, self.transaction = self.transaction, None
        if transaction:
            self.account.transactions.pop(transaction.number, None)
        return transaction

    def close(self):
        self.given_up.set()
        with self.lock:
            self.rollback()
            self.connection.close()


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)
