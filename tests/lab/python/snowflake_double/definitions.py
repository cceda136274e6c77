"""DDL that fakesnow lacks: TRUNCATE IF EXISTS and SWAP WITH."""

import re
import secrets

import rows
from refusal import Refusal, missing
from stage_commands import names

_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_NAME = rf"{_PART}(?:\.{_PART}){{0,2}}"
_TRUNCATE = re.compile(rf"TRUNCATE\s+(?:TABLE\s+)?(IF\s+EXISTS\s+)?({_NAME})$", re.I)
_SWAP = re.compile(rf"ALTER\s+TABLE\s+(IF\s+EXISTS\s+)?({_NAME})\s+SWAP\s+WITH\s+({_NAME})$", re.I)


def answer(session, statement):
    """The result of a statement that is defined here; none for other statements."""
    for pattern, command in ((_TRUNCATE, _truncate), (_SWAP, _swap)):
        if match := pattern.match(statement.text):
            return command(session, match)
    return None


def _truncate(session, match):
    table = session.complete(names(match[2]))
    if session.has_table(table):
        session.connection._duck_conn.execute(f"TRUNCATE {_quoted(table)}")
        session.account.loads.forget(table)
        session.account.tables.release(None, {table})
    elif not match[1]:
        raise missing("Table", ".".join(table))
    return rows.success()


def _swap(session, match):
    left, right = (session.complete(names(name)) for name in match.groups()[1:])
    for table in (left, right):
        if not session.has_table(table):
            raise missing("Table", ".".join(table))
    if left[:2] != right[:2]:
        raise Refusal(2, "the stand-in swaps tables of one schema only")
    between = (*left[:2], f"SWAPPED_{secrets.token_hex(6)}")
    duck = session.connection._duck_conn
    duck.execute("BEGIN")
    for old, new in ((left, between), (right, left), (between, right)):
        duck.execute(f"ALTER TABLE {_quoted(old)} RENAME TO {_quoted(new[2:])}")
    duck.execute("COMMIT")
    session.account.loads.swap(left, right)
    session.account.tables.release(None, {left, right})
    return rows.success()


def _quoted(name):
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)
