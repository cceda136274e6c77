"""One statement: what kind it is, what it reads and writes, whether it needs a warehouse."""

import re
import uuid
from functools import cached_property

from fakesnow.statement_type import DML_TYPE_IDS, statement_type_id
from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

import engine
from refusal import Refusal

COPY = 0x3600
PUT = 0x7100
GET = 0x7200
_COMMENT = re.compile(r"\s*(?:--[^\n]*(?:\n|$)|/\*.*?\*/|\s+)", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$]+")
_DDL = {"CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "UNDROP", "GRANT", "REVOKE"}
_METADATA = _DDL | {
    "SHOW",
    "DESC",
    "DESCRIBE",
    "PUT",
    "GET",
    "LIST",
    "LS",
    "REMOVE",
    "RM",
    "USE",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SET",
    "UNSET",
    "EXPLAIN",
}


class Statement:
    def __init__(self, text, bindings=None):
        start = 0
        while (match := _COMMENT.match(text, start)) and match.end() > start:
            start = match.end()
        self.text = text[start:].strip().rstrip(";").strip()
        self.bindings = bindings or []
        self._names = None
        self.query_id = str(uuid.uuid4())
        self.words = [word.upper() for word in _WORD.findall(self.text[:200])[:8]]

    def check_count(self):
        """Raises unless it is one statement."""
        if not self.text:
            raise Refusal(900, "SQL compilation error:\nSQL statement was empty.")
        if ";" in self.text:
            try:
                kinds = [token.token_type for token in Snowflake().tokenize(self.text)]
            except SqlglotError as error:
                raise Refusal(1003, f"SQL compilation error:\n{error}") from error
            if count := kinds.count(TokenType.SEMICOLON):
                raise Refusal(
                    8,
                    f"Actual statement count {count + 1} did not match the desired statement count 1.",
                    "0A000",
                )

    def begins(self, *words):
        return self.words[: len(words)] == list(words)

    def is_query(self):
        return self.begins("SELECT") or self.begins("WITH") or self.text.startswith("(")

    def settle(self, names):
        """Reads the names in it as the account spells them."""
        self._names = names

    @cached_property
    def expression(self):
        expression = engine.parse(self.text)
        if self._names:
            self._names.apply(expression)
        return expression

    @cached_property
    def type_id(self):
        return statement_type_id(self.expression)

    def changes_rows(self):
        return self.type_id in DML_TYPE_IDS

    def is_ddl(self):
        """Whether it commits the open transaction. ALTER SESSION is none."""
        if self.begins("ALTER", "SESSION"):
            return False
        return bool(self.words) and self.words[0] in _DDL

    def needs_warehouse(self):
        if not self.words or self.words[0] in _METADATA:
            return self.begins("CREATE") and bool(re.search(r"\bAS\s*\(?\s*(SELECT|WITH)\b", self.text, re.I))
        if self.is_query():
            return re.search(r"\bFROM\b", self.text, re.IGNORECASE) is not None
        return True

    def tables(self, session):
        """All tables it names, by full name."""
        return {session.qualify(table) for table in self.expression.find_all(exp.Table) if table.name}

    def target(self, session):
        """The table it changes."""
        node = self.expression.this
        if isinstance(node, exp.Schema):
            node = node.this
        if node is None and isinstance(self.expression, exp.Drop):
            node = self.expression.find(exp.Table)
        return session.qualify(node) if isinstance(node, exp.Table) and node.name else None

    def takes_turns(self):
        """Whether writers of this kind exclude each other; those that only add rows do not."""
        expression = self.expression
        is_overwrite = isinstance(expression, exp.Insert) and expression.args.get("overwrite")
        return isinstance(expression, (exp.Update, exp.Delete, exp.Merge)) or bool(is_overwrite)


def name_of(identifier):
    """A name as the catalog has it."""
    return identifier.name if identifier.args.get("quoted") else identifier.name.upper()
