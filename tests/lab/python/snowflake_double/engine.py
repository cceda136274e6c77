"""The SQL engine: one fakesnow per account, without what makes it differ from the service."""

import logging
import tempfile
import warnings

import duckdb
import fakesnow.info_schema as info_schema
import fakesnow.transforms as transforms
from fakesnow.dialect import parse_one
from fakesnow.instance import FakeSnow
from fakesnow.rowtype import describe_as_rowtype, duckdb_to_sf_type
from snowflake.connector.errors import Error as DriverError
from sqlglot import Expr, exp
from sqlglot.errors import SqlglotError

import refusal

# It tells what DuckDB has no word for, as TRANSIENT.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
# Types that DuckDB has and fakesnow has no answer for.
duckdb_to_sf_type.update(
    {
        "FLOAT": "real",
        "SMALLINT": "fixed",
        "TINYINT": "fixed",
        "UINTEGER": "fixed",
        "UHUGEINT": "fixed",
        "TIMESTAMP_S": "timestamp_ntz",
        "TIMESTAMP_MS": "timestamp_ntz",
        "BIGNUM": "fixed",
    }
)


class Engine:
    """An account's databases. DuckDB keeps them in memory, each session has a connection of its own."""

    def __init__(self):
        self._fakesnow = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False)
        duck = self._fakesnow.duck_conn
        duck.execute("SET GLOBAL threads = 2")
        duck.execute("SET GLOBAL temp_directory = ?", [tempfile.gettempdir()])

    def connect(self, database=None, schema=None):
        return self._fakesnow.connect(database, schema)

    def create_database(self, name):
        self.connect().cursor().execute(f'CREATE DATABASE IF NOT EXISTS "{name}"')


def parse(text):
    try:
        return parse_one(text)
    except DriverError as error:
        raise refusal.from_fakesnow(error) from error
    except SqlglotError as error:
        raise refusal.Refusal(1003, f"SQL compilation error:\n{error}") from error


def translate(connection, expression, bindings=None):
    """The statement for DuckDB, of one that fakesnow need not split."""
    with errors():
        cursor = connection.cursor()
        cursor.check_db_and_schema(expression)
        return cursor._transform(expression, list(bindings or [])).sql(dialect="duckdb")


def run(connection, expression, bindings=None):
    """Runs a statement and returns the columns and the Arrow table of its result."""
    with errors():
        cursor = connection.cursor()
        cursor.check_db_and_schema(expression)
        # A transform may take values away; a replay needs them again, as it does the statement.
        for statement in cursor._transform_explode(expression.copy()):
            values = list(bindings or [])
            transformed = cursor._transform(statement, values)
            cursor._execute(transformed, values if transformed.find(exp.Placeholder) else None)
        if isinstance(expression, _QUERIES):
            return describe_as_rowtype(cursor._describe_last_sql()), cursor._arrow_table
        return None, cursor._arrow_table


# What answers rows of its own; others tell what they did.
_QUERIES = (exp.Query, exp.Show, exp.Describe)


class errors:
    """Turns the errors of DuckDB and fakesnow into those of the service."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, refusal.Refusal) or error is None:
            return False
        if isinstance(error, DriverError):
            raise refusal.from_fakesnow(error) from error
        if isinstance(error, duckdb.Error):
            raise refusal.from_duckdb(error) from error
        if isinstance(error, NotImplementedError):
            raise refusal.unsupported(str(error)) from error
        return False


def strip_constraints(expression):
    """Keys as the service has them: declared, never enforced; the columns of a primary key are not null."""
    if not (isinstance(expression, exp.Create) and isinstance(expression.this, exp.Schema)):
        return
    keys = set()
    for constraint in list(expression.find_all(exp.PrimaryKey)):
        keys.update(column.name for column in constraint.find_all(exp.Identifier))
        _remove(constraint, expression)
    for kind in (exp.ForeignKey, exp.UniqueColumnConstraint):
        for constraint in list(expression.find_all(kind)):
            if not isinstance(constraint.parent, exp.ColumnConstraint):
                _remove(constraint, expression)
    for column in expression.find_all(exp.ColumnDef):
        constraints = column.args.get("constraints") or []
        unenforced = (exp.PrimaryKeyColumnConstraint, exp.UniqueColumnConstraint, exp.Reference)
        kept = [one for one in constraints if not isinstance(one.args.get("kind"), unenforced)]
        is_key = any(isinstance(one.args.get("kind"), exp.PrimaryKeyColumnConstraint) for one in constraints)
        is_not_null = any(isinstance(one.args.get("kind"), exp.NotNullColumnConstraint) for one in kept)
        if (is_key or column.name in keys) and not is_not_null:
            kept.append(exp.ColumnConstraint(kind=exp.NotNullColumnConstraint()))
        column.set("constraints", kept)


def _remove(constraint, root):
    """Takes a constraint of the table out of its definition, with the name it may have."""
    node: Expr = constraint
    while node.parent is not None and not isinstance(node.parent, exp.Schema) and node.parent is not root:
        node = node.parent
    node.pop()


def take_comments(expression):
    """Takes the comments of columns out of a definition: DuckDB has them in statements of their own."""
    taken = []
    for column in expression.find_all(exp.ColumnDef):
        for constraint in list(column.args.get("constraints") or []):
            if isinstance(constraint.args.get("kind"), exp.CommentColumnConstraint):
                taken.append((column.this.copy(), constraint.args["kind"].this.this))
                constraint.pop()
    return taken


def name_columns(expression):
    """`CREATE TABLE t (a, b) AS SELECT ...` with the names in the SELECT, where DuckDB wants them."""
    if not (
        isinstance(expression, exp.Create)
        and expression.expression
        and isinstance(expression.this, exp.Schema)
    ):
        return
    columns = expression.this.expressions
    if columns and all(isinstance(column, exp.Identifier) for column in columns):
        alias = exp.TableAlias(this=exp.to_identifier("NAMED"), columns=[column.copy() for column in columns])
        inner = exp.Subquery(this=expression.expression.copy(), alias=alias)
        expression.set("expression", exp.select("*").from_(inner))
        expression.set("this", expression.this.this)


def _to_array(node):
    """TO_ARRAY, which leaves an array as it is; fakesnow makes an array around it."""
    if not isinstance(node, exp.ToArray):
        return _array_size(node)
    value = exp.cast(node.this, "JSON")
    kind = exp.func("json_type", value.copy())
    return exp.Case(
        ifs=[
            exp.If(this=exp.EQ(this=kind, expression=exp.Literal.string("ARRAY")), true=value),
            exp.If(this=exp.EQ(this=kind.copy(), expression=exp.Literal.string("NULL")), true=exp.Null()),
        ],
        default=exp.func("json_array", value.copy()),
    )


def _number(node):
    """NUMBER with all its 38 digits, where fakesnow makes do with 64 bits."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.DECIMAL:
        return node if node.expressions else exp.DataType.build("DECIMAL(38, 0)")
    return _integer_precision(node)


def _parse_json(node):
    """PARSE_JSON that keeps the digits of numbers; DuckDB's JSON() makes doubles of them."""
    if isinstance(node, exp.ParseJSON):
        kind = exp.DataType(this=exp.DataType.Type.JSON, nested=False)
        return (exp.TryCast if node.args.get("safe") else exp.Cast)(this=node.this, to=kind)
    return _try_parse_json(node)


# Lengths of text are noted in a second DuckDB database, which no transaction can do beside the first.
info_schema.insert_text_lengths_sql = lambda *_: "SELECT 1"
# Comments go into SQL between quotes.
_comment = info_schema.insert_table_comment_sql
info_schema.insert_table_comment_sql = lambda *place: _comment(
    *place[:3], (place[3] or "").replace("'", "''")
)
# Which tables are transient is noted as DuckDB's comment, which fakesnow makes no use of.
_tables = info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW.template
info_schema.SQL_CREATE_INFORMATION_SCHEMA_TABLES_VIEW.template = _tables.replace(
    """'NO' AS "IS_TRANSIENT\"""", """IF(tables.comment = 'transient', 'YES', 'NO') AS "IS_TRANSIENT\""""
)
# Sums of numbers are numbers; fakesnow makes doubles of them.
transforms.numeric_agg_implicit_cast = lambda node: node
_integer_precision, transforms.integer_precision = transforms.integer_precision, _number
_array_size, transforms.array_size = transforms.array_size, _to_array
_try_parse_json, transforms.try_parse_json = transforms.try_parse_json, _parse_json
