"""What tests ask of the stand-in itself, below `/lab/`: accounts, faults, the log, a look at the tables."""

from refusal import Status
from statement import Statement


def answer(world, command, body):
    if command == "ready":
        return {}
    if command == "account":
        return world.add().describe()
    account = world.accounts.get(body.get("account"))
    if account is None or command not in _COMMANDS:
        raise Status(404)
    return _COMMANDS[command](account, body)


def _fault(account, body):
    account.faults.add(dict(body["fault"]))
    return {}


def _clear(account, _body):
    account.faults.clear()
    account.grants.allow_all()
    return {}


def _faults_left(account, _body):
    return {"left": account.faults.left()}


def _log(account, body):
    return {"entries": account.log.entries(body.get("since", 0))}


def _deny(account, body):
    account.grants.deny(body["privilege"])
    return {}


def _validity(account, body):
    """How long tokens of sessions are good that begin from now on."""
    account.validity = body["seconds"]
    return {}


def _patience(account, body):
    account.patience = body["seconds"]
    return {}


def _inline(account, body):
    account.rows_inline = body["rows"]
    return {}


def _suspend(account, _body):
    account.is_awake = False
    return {}


def _awake(account, _body):
    return {"awake": account.is_awake}


def _key(account, body):
    account.user.add_key(body["public_key"])
    return {}


def _sql(account, body):
    """Runs a statement as the account's administrator; rows are text as DuckDB writes it."""
    session = account.admin
    statement = Statement(body["sql"], body.get("bindings") or [])
    with session.lock:
        result = session.execute(statement)
        if result.table is None:
            return {"columns": [column["name"] for column in result.columns], "rows": result.rows}
        return {"columns": [column["name"] for column in result.columns], "rows": _texts(session, result)}


def _texts(session, result):
    # Of names that differ in case only, DuckDB would find the first.
    numbered = [f"c{number}" for number in range(result.table.num_columns)]
    held = result.table.rename_columns(numbered)  # noqa: F841 - DuckDB finds it by its name
    duck = session.connection._duck_conn
    columns = ", ".join(f"CAST({name} AS VARCHAR)" for name in numbered)
    rows = duck.execute(f"SELECT {columns} FROM held").fetchall()
    return [list(row) for row in rows]


_COMMANDS = {
    "fault": _fault,
    "clear": _clear,
    "faults-left": _faults_left,
    "log": _log,
    "deny": _deny,
    "validity": _validity,
    "patience": _patience,
    "inline": _inline,
    "suspend": _suspend,
    "awake": _awake,
    "key": _key,
    "sql": _sql,
}
