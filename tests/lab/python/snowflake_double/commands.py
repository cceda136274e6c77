"""Statements about the session itself: transactions, parameters, what is current, grants."""

import re

from sqlglot import exp

import rows
from refusal import Refusal, missing
from stage_commands import names

_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_BEGIN = re.compile(r"(BEGIN(\s+(WORK|TRANSACTION))?|START\s+TRANSACTION)(\s+NAME\s+\S+)?$", re.I)
_END = re.compile(r"(COMMIT|ROLLBACK)(\s+WORK)?$", re.I)
_USE = re.compile(
    rf"USE\s+(?:(ROLE|WAREHOUSE|DATABASE|SCHEMA|SECONDARY\s+ROLES)\s+)?({_PART}(?:\.{_PART})?)$", re.I
)
_ALTER_SESSION = re.compile(r"ALTER\s+SESSION\s+(SET|UNSET)\s+(.*)$", re.I | re.S)
_ASSIGNMENT = re.compile(r"(\w+)\s*=\s*('(?:[^']|'')*'|[^\s,]+)")
_ABORT = re.compile(r"SELECT\s+SYSTEM\$ABORT_TRANSACTION\s*\(\s*'?(\d+|\?)'?(?:::\w+)?\s*\)", re.I)
_ABORT_SESSION = re.compile(r"SELECT\s+SYSTEM\$ABORT_SESSION\s*\(\s*'?(\d+|\?)'?\s*\)", re.I)
_GRANTS = re.compile(
    rf"SHOW\s+GRANTS(?:\s+TO\s+(ROLE|USER)\s+({_PART})|\s+ON\s+(\w+(?:\s+TABLE)?)\s+(\S+))?$", re.I
)
_TRANSACTIONS = re.compile(r"SHOW\s+(TRANSACTIONS|LOCKS)(\s+IN\s+ACCOUNT)?$", re.I)
_WAREHOUSES = re.compile(r"SHOW\s+WAREHOUSES(?:\s+LIKE\s+'((?:[^']|'')*)')?$", re.I)
_PARAMETERS = re.compile(r"SHOW\s+PARAMETERS(?:\s+LIKE\s+'((?:[^']|'')*)')?(\s+IN\s+SESSION)?$", re.I)
_ADMIN = re.compile(
    rf"(?:GRANT\s|REVOKE\s|ALTER\s+(?:USER|ROLE|WAREHOUSE)\s|"
    rf"CREATE\s+(?:OR\s+REPLACE\s+)?(ROLE|USER|WAREHOUSE)\s+(?:IF\s+NOT\s+EXISTS\s+)?({_PART}))",
    re.I,
)
TCL = 0x5000


def answer(session, statement):
    """The result of a statement about the session; none for other statements."""
    for pattern, command in (
        (_BEGIN, _begin),
        (_END, _end),
        (_USE, _use),
        (_ALTER_SESSION, _alter),
        (_ABORT, _abort),
        (_ABORT_SESSION, _abort_session),
        (_GRANTS, _grants),
        (_TRANSACTIONS, _transactions),
        (_WAREHOUSES, _warehouses),
        (_PARAMETERS, _parameters),
        (_ADMIN, _administer),
    ):
        if match := pattern.match(statement.text):
            return command(session, statement, match)
    return None


def fill_in(session, expression):
    """Puts what is current in the place of the functions that tell it."""
    current = {
        "CURRENT_SESSION": str(session.id),
        "CURRENT_WAREHOUSE": session.warehouse,
        "CURRENT_TRANSACTION": session.transaction and str(session.transaction.number),
        "CURRENT_ACCOUNT": session.account.name,
        "CURRENT_ACCOUNT_NAME": session.account.name,
        "CURRENT_ORGANIZATION_NAME": "TIDEGATE",
        "CURRENT_REGION": "AWS_US_EAST_1",
        "CURRENT_ROLE": session.role,
        "CURRENT_USER": session.user.name,
        "CURRENT_DATABASE": session.connection.database,
        "CURRENT_SCHEMA": session.connection._schema,
        "LAST_QUERY_ID": session.last_query,
        "CURRENT_SECONDARY_ROLES": '{"roles":"","value":""}',
    }
    for node in list(expression.find_all(exp.Anonymous, exp.Func)):
        name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).upper()
        if name not in current:
            continue
        value = current[name]
        literal = exp.Null() if value is None else exp.Literal.string(value)
        literal = exp.cast(literal, "VARCHAR")
        if isinstance(node.parent, exp.Select):
            literal = exp.alias_(literal, f"{name}()", quoted=True)
        node.replace(literal)


def _begin(session, _statement, _match):
    session.begin()
    return rows.success(type_id=TCL)


def _end(session, _statement, match):
    (session.commit if match[1].upper() == "COMMIT" else session.rollback)()
    return rows.success(type_id=TCL)


def _use(session, _statement, match):
    kind, name = (match[1] or "DATABASE").upper(), names(match[2])
    refusal = Refusal(
        2043, "SQL compilation error:\nObject does not exist, or operation cannot be performed.", "02000"
    )
    if kind == "ROLE":
        if name[0] not in session.account.grants.roles:
            raise refusal
        session.role = name[0]
    elif kind == "WAREHOUSE":
        if not session.account.grants.has_warehouse(name[0]):
            raise refusal
        session.warehouse = name[0]
    elif kind in ("DATABASE", "SCHEMA"):
        if kind == "SCHEMA" or len(name) == 2:
            place = name if len(name) == 2 else [session.connection.database, name[0]]
        else:
            place = [name[0], "PUBLIC"]
        is_there = session.use(*place)
        if not is_there and not (kind == "DATABASE" and session.connection.database == name[0]):
            raise refusal
    return rows.success()


def _alter(session, _statement, match):
    if match[1].upper() == "UNSET":
        from session import DEFAULTS

        for name in re.findall(r"\w+", match[2]):
            session.parameters[name.upper()] = DEFAULTS.get(name.upper(), "")
    else:
        for name, value in _ASSIGNMENT.findall(match[2]):
            value = value[1:-1].replace("''", "'") if value.startswith("'") else value
            session.parameters[name.upper()] = value
    return rows.success()


def _abort(session, statement, match):
    number = int(statement.bindings[0] if match[1] == "?" else match[1])
    other = session.account.transactions.get(number)
    if other is None:
        raise Refusal(
            2, f"SQL execution error: Transaction {number} does not exist or it is not running.", "22023"
        )
    if other is not session:
        other.given_up.set()
    with other.lock:
        other.rollback()
    return rows.made(["SYSTEM$ABORT_TRANSACTION"], [["Transaction aborted."]])


def _abort_session(session, statement, match):
    number = int(statement.bindings[0] if match[1] == "?" else match[1])
    if not session.account.end_session(number):
        raise Refusal(2, f"SQL execution error: Session {number} does not exist.", "22023")
    return rows.made(["SYSTEM$ABORT_SESSION"], [["Session aborted."]])


def _grants(session, _statement, match):
    granted = session.account.grants
    header = [
        "created_on",
        "privilege",
        "granted_on",
        "name",
        "granted_to",
        "grantee_name",
        "grant_option",
        "granted_by",
    ]
    role = names(match[2])[0] if match[2] else session.role
    if match[1] and match[1].upper() == "ROLE" and role not in granted.roles:
        raise missing("Role", role)
    if match[1] and match[1].upper() == "USER" or not (match[1] or match[3]):
        user = role if match[2] else session.user.name
        return rows.made(
            ["created_on", "role", "granted_to", "grantee_name", "granted_by"],
            [["2026-01-01 00:00:00.000 +0000", one, "USER", user, "ACCOUNTADMIN"] for one in granted.roles],
        )
    found = granted.listed(session)
    if match[3]:
        wanted = ".".join(names(match[4]))
        found = [entry for entry in found if entry[1] == match[3].upper() and entry[2].endswith(wanted)]
    return rows.made(
        header,
        [
            ["2026-01-01 00:00:00.000 +0000", privilege, kind, name, "ROLE", role, "false", "ACCOUNTADMIN"]
            for privilege, kind, name in found
        ],
    )


def _transactions(session, _statement, match):
    open_ones = [(number, other) for number, other in sorted(session.account.transactions.items())]
    if match[1].upper() == "LOCKS":
        header = [
            "resource",
            "type",
            "transaction",
            "transaction_started_on",
            "status",
            "acquired_on",
            "query_id",
        ]
        return rows.made(header, session.account.tables.held())
    header = ["id", "user", "session", "name", "started_on", "state", "scope"]
    return rows.made(
        header,
        [
            [
                number,
                other.user.name,
                str(other.id),
                f"tx-{number}",
                "2026-01-01 00:00:00.000 +0000",
                "running",
                "0",
            ]
            for number, other in open_ones
            if match[2] or other is session
        ],
    )


def _administer(session, _statement, match):
    """Roles and warehouses are known once they are made; what they may do is for tests to say."""
    if match[1]:
        known = {"ROLE": session.account.grants.roles, "WAREHOUSE": session.account.grants.warehouses}
        known.get(match[1].upper(), []).extend(names(match[2]))
    return rows.success()


def _warehouses(session, _statement, match):
    header = ["name", "state", "type", "size", "is_default", "is_current", "auto_suspend", "auto_resume"]
    found = [
        name
        for name in session.account.grants.warehouses
        if session.account.grants.has_warehouse(name) and (match[1] is None or name == match[1].upper())
    ]
    state = "STARTED" if session.account.is_awake else "SUSPENDED"
    return rows.made(
        header,
        [
            [name, state, "STANDARD", "X-Small", "N", "Y" if name == session.warehouse else "N", 60, "true"]
            for name in found
        ],
    )


def _parameters(session, _statement, match):
    wanted = re.compile(match[1].replace("%", ".*").replace("_", ".") if match[1] else ".*", re.I)
    return rows.made(
        ["key", "value", "default", "level", "description", "type"],
        [
            [key, value, "", "SESSION", "", "STRING"]
            for key, value in sorted(session.parameters.items())
            if wanted.fullmatch(key)
        ],
    )
