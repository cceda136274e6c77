"""MERGE by DuckDB's own, with the service's refusal of sources that are not unique."""

from sqlglot import exp

import engine
import rows
from refusal import Refusal
from statement import name_of


def run(session, statement):
    expression = statement.expression
    if session.parameters["ERROR_ON_NONDETERMINISTIC_MERGE"].lower() != "false":
        _refuse_duplicates(session, expression, statement.bindings)
    merge = expression.copy()
    _unqualify(merge)
    with engine.errors():
        sql = engine.translate(session.connection, merge, statement.bindings)
        duck = session.connection._duck_conn
        answer = duck.execute(f"{sql} RETURNING merge_action", _bound(sql, statement.bindings)).fetchall()
    counts = {"INSERT": 0, "UPDATE": 0, "DELETE": 0}
    for (action,) in answer:
        counts[action] += 1
    return _result(expression, counts)


def _result(expression, counts):
    kinds = {kind for when in expression.args["whens"].expressions if (kind := _kind(when))}
    named = {"INSERT": "Inserted", "UPDATE": "Updated", "DELETE": "Deleted"}
    told = [kind for kind in named if kind in kinds]
    names = [f"number of rows {named[kind].lower()}" for kind in told]
    changed = {named[kind]: count for kind, count in counts.items()}
    return rows.made(names, [[counts[kind] for kind in told]], 0x3400, changed=changed)


def _kind(when):
    then = when.args.get("then")
    if isinstance(then, exp.Insert):
        return "INSERT"
    return "UPDATE" if isinstance(then, exp.Update) else "DELETE"


def _unqualify(merge):
    """DuckDB takes no table's name before the columns that are set."""
    for when in merge.args["whens"].expressions:
        then = when.args.get("then")
        if isinstance(then, exp.Update):
            for assignment in then.expressions:
                if isinstance(assignment.this, exp.Column):
                    assignment.set("this", exp.column(assignment.this.this))


def _refuse_duplicates(session, expression, bindings):
    """Fails where one row would be updated twice, or updated and deleted."""
    cases = []
    for when in expression.args["whens"].expressions:
        if when.args.get("matched"):
            condition = when.args.get("condition") or exp.true()
            cases.append((condition.copy(), _kind(when)))
    if not cases:
        return
    target = expression.this.copy()
    name = exp.to_identifier(target.alias or target.name, quoted=True)
    name.set("this", name_of(target.args["alias"].this if target.alias else target.this))
    kind = exp.Case(ifs=[exp.If(this=when, true=exp.Literal.string(kind)) for when, kind in cases])
    matches = (
        exp.select(
            exp.alias_(exp.column("rowid", table=name), "ROW_ID", quoted=True),
            exp.alias_(kind, "KIND", quoted=True),
        )
        .from_(target)
        .join(expression.args["using"].copy(), on=expression.args["on"].copy())
    )
    with engine.errors():
        inner = engine.translate(session.connection, matches, bindings)
        duck = session.connection._duck_conn
        doubled = duck.execute(
            f"""SELECT 1 FROM ({inner}) AS matches WHERE "KIND" IS NOT NULL GROUP BY "ROW_ID"
            HAVING count(*) FILTER ("KIND" = 'UPDATE') > 1 OR count(DISTINCT "KIND") > 1 LIMIT 1""",
            _bound(inner, bindings),
        ).fetchone()
    if doubled:
        raise Refusal(100090, "Duplicate row detected during DML action\nRow Values: [...]", "42P18")


def _bound(sql, bindings):
    return list(bindings) if bindings and "?" in sql else None
