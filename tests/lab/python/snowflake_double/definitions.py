"""Definitions: what of them fakesnow lacks, and the running of the others."""

import re
import secrets

from sqlglot import exp

import engine
import rows
from names import quoted
from refusal import Refusal, missing
from stage_commands import names
from statement import name_of
from transaction import run_alone

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


def run(session, statement):
    """Runs a definition that fakesnow knows, and what it leaves out."""
    expression, account = statement.expression, session.account
    if isinstance(expression, exp.Describe) and "TABLE" in statement.words[:2]:
        return account.declared.describe(session, session.qualify(expression.find(exp.Table)))
    target = statement.target(session) if statement.is_ddl() else None
    is_create, is_alter = isinstance(expression, exp.Create), isinstance(expression, exp.Alter)
    if is_create and expression.args.get("exists") and target and session.has_table(target):
        return rows.success(f"{target[-1]} already exists, statement succeeded.", statement.type_id)
    engine.strip_constraints(expression)
    engine.name_columns(expression)
    comments = engine.take_comments(expression) if is_create or is_alter else []
    if is_alter and target:
        account.declared.check(session, expression, target)
    if target and (is_create or isinstance(expression, exp.Drop)):
        account.loads.forget(target)
    result = run_alone(lambda: session.run(statement))
    if target and (is_create or is_alter) and session.has_table(target):
        account.declared.note(session, expression, target)
        _comment(session, expression, target, comments)
    if isinstance(expression, exp.Drop) and expression.args.get("kind") == "SCHEMA":
        account.stages.drop_all(_schema_of(session, expression))
    if target:
        account.tables.release(None, {target})
    return result


def _comment(session, expression, table, comments):
    """Notes what is said of columns, and that a table is transient."""
    duck = session.connection._duck_conn
    if isinstance(expression, exp.Create) and expression.find(exp.TransientProperty):
        duck.execute(f"COMMENT ON TABLE {quoted(table)} IS 'transient'")
    for column, comment in comments:
        where = quoted((*table, name_of(column)))
        duck.execute(f"COMMENT ON COLUMN {where} IS {exp.Literal.string(comment).sql()}")


def _schema_of(session, expression):
    """The schema that a statement about schemas names."""
    table = expression.find(exp.Table)
    parts = [name_of(part) for part in (table.args.get("catalog"), table.args.get("db")) if part]
    return session.complete([*parts, ""])[:2]


def _truncate(session, match):
    table = session.complete(names(match[2]))
    if session.has_table(table):
        session.connection._duck_conn.execute(f"TRUNCATE {quoted(table)}")
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
        duck.execute(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(new[2:])}")
    duck.execute("COMMIT")
    session.account.loads.swap(left, right)
    session.account.tables.release(None, {left, right})
    return rows.success()
