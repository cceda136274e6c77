"""The types that columns were declared with: DuckDB has one for several of the service's."""

from sqlglot import exp

import rows
from names import plain
from refusal import Refusal, missing
from statement import name_of

_NAMES = {
    "DECIMAL": "NUMBER",
    "INT": "NUMBER",
    "BIGINT": "NUMBER",
    "SMALLINT": "NUMBER",
    "TINYINT": "NUMBER",
    "DOUBLE": "FLOAT",
    "FLOAT": "FLOAT",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "NCHAR": "VARCHAR",
    "NVARCHAR": "VARCHAR",
    "VARBINARY": "BINARY",
    "TIMESTAMPNTZ": "TIMESTAMP_NTZ",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "DATETIME": "TIMESTAMP_NTZ",
    "TIMESTAMPTZ": "TIMESTAMP_TZ",
    "TIMESTAMPLTZ": "TIMESTAMP_LTZ",
}
_SIZES = {
    "NUMBER": ("38", "0"),
    "VARCHAR": ("16777216",),
    "BINARY": ("8388608",),
    "TIME": ("9",),
    "TIMESTAMP_NTZ": ("9",),
    "TIMESTAMP_TZ": ("9",),
    "TIMESTAMP_LTZ": ("9",),
}
_DESCRIBED = [
    "name",
    "type",
    "kind",
    "null?",
    "default",
    "primary key",
    "unique key",
    "check",
    "expression",
    "comment",
    "policy name",
]


def spelt(kind):
    """A type as DESCRIBE spells it: `NUMBER(38,0)`."""
    name = _NAMES.get(kind.this.name, kind.this.name)
    given = tuple(str(size) for size in kind.expressions) if name in _SIZES else ()
    if kind.this.name == "CHAR" and not given:
        given = ("1",)
    sizes = given + _SIZES.get(name, ())[len(given) :] if name in _SIZES else ()
    return f"{name}({','.join(sizes)})" if sizes else name


class Declared:
    """Types of one account's columns, by the table's number in DuckDB, which it keeps whatever its name."""

    def __init__(self):
        self._tables = {}

    def of(self, session, table):
        return self._tables.get(_number(session, table), {})

    def check(self, session, expression, table):
        """Raises where a column would get a type that does not hold what it has."""
        types = self.of(session, table)
        for action in expression.args.get("actions") or ():
            if isinstance(action, exp.AlterColumn) and (kind := action.args.get("dtype")):
                old, new = types.get(name_of(action.this)), spelt(kind)
                if old and not _is_wider(old, new):
                    raise Refusal(
                        2108,
                        f"SQL compilation error: cannot change column {plain(name_of(action.this))} from type "
                        f"{old} to {new}",
                        "22000",
                    )

    def note(self, session, expression, table):
        """Learns what a statement that was run has declared."""
        number = _number(session, table)
        if isinstance(expression, exp.Create):
            source = expression.find(exp.LikeProperty) or expression.args.get("clone")
            if source:
                self._tables[number] = dict(self.of(session, session.qualify(source.this)))
                return
            self._tables[number] = {
                name_of(column.this): spelt(column.args["kind"])
                for column in expression.find_all(exp.ColumnDef)
                if column.args.get("kind")
            }
            return
        types = self._tables.setdefault(number, {})
        for action in expression.args.get("actions") or ():
            if isinstance(action, exp.ColumnDef):
                types.setdefault(name_of(action.this), spelt(action.args["kind"]))
            elif isinstance(action, exp.AlterColumn) and action.args.get("dtype"):
                types[name_of(action.this)] = spelt(action.args["dtype"])
            elif isinstance(action, exp.RenameColumn):
                types[name_of(action.args["to"].this)] = types.pop(name_of(action.this.this), None)
            elif isinstance(action, exp.Drop):
                for column in action.find_all(exp.Identifier):
                    types.pop(name_of(column), None)

    def describe(self, session, table):
        """The answer of DESCRIBE TABLE."""
        types = self.of(session, table)
        found = session.connection._duck_conn.execute(
            "SELECT column_name, data_type, is_nullable, column_default, comment FROM duckdb_columns() "
            "WHERE database_name IN (?, 'temp') AND schema_name IN (?, 'main') AND table_name = ? "
            "ORDER BY column_index",
            list(table),
        ).fetchall()
        if not found:
            raise missing("Table", ".".join(table))
        return rows.made(
            _DESCRIBED,
            [
                [
                    name,
                    types.get(name) or _guessed(kind),
                    "COLUMN",
                    "Y" if is_nullable else "N",
                    None if default == "NULL" else default,
                    "N",
                    "N",
                    None,
                    None,
                    comment,
                    None,
                ]
                for name, kind, is_nullable, default, comment in found
            ],
            0x4500,
        )


def _guessed(kind):
    """The service's type for one of DuckDB's, where nothing was declared: after CREATE TABLE ... AS."""
    if kind.startswith("DECIMAL"):
        return kind.replace("DECIMAL", "NUMBER")
    name = {
        "BIGINT": "NUMBER",
        "INTEGER": "NUMBER",
        "HUGEINT": "NUMBER",
        "DOUBLE": "FLOAT",
        "BLOB": "BINARY",
        "JSON": "VARIANT",
        "TIMESTAMP": "TIMESTAMP_NTZ",
        "TIMESTAMP_NS": "TIMESTAMP_NTZ",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_TZ",
    }.get(kind, kind)
    return f"{name}({','.join(_SIZES[name])})" if name in _SIZES else name


def _number(session, table):
    found = session.connection._duck_conn.execute(
        "SELECT table_oid FROM duckdb_tables() WHERE database_name IN (?, 'temp') AND schema_name IN (?, 'main') "
        "AND table_name = ?",
        list(table),
    ).fetchone()
    return found and (table[0], found[0])


def _is_wider(old, new):
    """Whether the service changes a column of the old type to the new one: it only ever adds room."""
    (old_name, _, old_sizes), (new_name, _, new_sizes) = old.partition("("), new.partition("(")
    if old_name != new_name:
        return False
    old_sizes, new_sizes = (
        [int(size) for size in sizes.rstrip(")").split(",") if size] for sizes in (old_sizes, new_sizes)
    )
    if old_name == "NUMBER":
        return new_sizes[0] >= old_sizes[0] and new_sizes[1] == old_sizes[1]
    if old_name in ("VARCHAR", "BINARY"):
        return new_sizes[0] >= old_sizes[0]
    return old_sizes == new_sizes
