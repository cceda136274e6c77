"""What fakesnow leaves out of SHOW: the LIKE of some, and which tables are transient."""

import re

import rows
from names import quoted
from stage_commands import names as spelt

_LIKE = re.compile(r"\bLIKE\s+'((?:[^']|'')*)'", re.I)
_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_PLACE = re.compile(rf"\bIN\s+SCHEMA\s+({_PART}(?:\.{_PART})?)$", re.I)
_NAMED = {"COLUMNS": "column_name"}


def refine(session, statement, result):
    if statement.words[1] == "TABLES" and (place := _PLACE.search(statement.text)):
        session.need_schema_of(session.complete([*spelt(place[1]), ""]))
    names = [column["name"] for column in result.columns]
    key = _NAMED.get(statement.words[1], "name")
    if (like := _LIKE.search(statement.text)) and key in names:
        wanted = _pattern(like[1].replace("''", "'"))
        result.rows = [row for row in result.rows if wanted.fullmatch(row[names.index(key)])]
        result.table = None
    if statement.words[1] == "TABLES" and {"kind", "database_name", "schema_name", "name"} <= set(names):
        transient = set(_transient(session))
        for row in result.rows:
            place = tuple(row[names.index(part)] for part in ("database_name", "schema_name", "name"))
            if place in transient:
                row[names.index("kind")] = "TRANSIENT"
            if "rows" in names:
                row[names.index("rows")] = str(_count(session, place))
        result.table = None
    return result


def _count(session, place):
    """How many rows a table has."""
    table = quoted([session.account.names.encode(part) for part in place])
    return session.connection._duck_conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def _pattern(like):
    """A pattern of LIKE, which pays no regard to case here."""
    parts = re.split(r"(%|_|\\.)", like)
    meaning = {"%": ".*", "_": "."}
    return re.compile(
        "".join(
            meaning.get(part)
            or re.escape(part.removeprefix("\\") if len(part) == 2 and part[0] == "\\" else part)
            for part in parts
        ),
        re.IGNORECASE | re.DOTALL,
    )


def _transient(session):
    found = session.connection._duck_conn.execute(
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE comment = 'transient'"
    ).fetchall()
    return [tuple(rows.plain(part) for part in place) for place in found]
