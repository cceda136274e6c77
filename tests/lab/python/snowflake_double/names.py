"""Names as DuckDB and fakesnow can have them.

The service keeps names apart that differ in case only, and DuckDB does not: the first spelling of a name is
DuckDB's, too, and any other gets a tail that says how it is spelt. fakesnow puts names into texts and SQL
without a thought for quotes and dots: those have other characters in their place. Both are undone in
whatever goes out.
"""

import re
import threading

from sqlglot import exp

_MARK = "\ue000"
_TAIL = re.compile(_MARK + "[0-9a-f]+")
# In the private use area, as the mark is.
_SPECIAL = {ord(letter): 0xE100 + ord(letter) for letter in "\"'.\\;"}
_BACK = {other: letter for letter, other in _SPECIAL.items()}
_STRANGE = re.compile("[\ue000-\ue1ff]")


def plain(text):
    """The text with names as the service spells them."""
    return _TAIL.sub("", text).translate(_BACK) if _STRANGE.search(text) else text


def quoted(name):
    """The name of an object as SQL has it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


class Names:
    """The spellings of one account, and the words that DuckDB wants quoted."""

    def __init__(self, duck):
        found = duck.execute(
            "SELECT column_name FROM duckdb_columns() UNION SELECT view_name FROM duckdb_views() "
            "UNION SELECT table_name FROM duckdb_tables() UNION SELECT 'information_schema'"
        ).fetchall()
        self._first = {name.casefold(): name.upper() for (name,) in found}
        reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        self._reserved = {word.upper() for (word,) in duck.execute(reserved).fetchall()}
        self._lock = threading.Lock()

    def encode(self, name):
        """The name for DuckDB."""
        if _MARK in name:
            return name
        name = name.translate(_SPECIAL)
        with self._lock:
            if self._first.setdefault(name.casefold(), name) == name:
                return name
        spelling = "".join("1" if letter.isupper() else "0" for letter in name)
        return f"{name}{_MARK}{int('1' + spelling, 2):x}"

    def apply(self, expression):
        """Puts DuckDB's names into a statement."""
        for node in expression.find_all(exp.Identifier):
            if not isinstance(node.this, str):
                continue
            name = node.this if node.args.get("quoted") else node.this.upper()
            encoded = self.encode(name)
            if encoded != name or (not node.args.get("quoted") and name in self._reserved and _is_name(node)):
                node.set("this", encoded)
                node.set("quoted", True)
        if any(table.db.upper() == "INFORMATION_SCHEMA" for table in expression.find_all(exp.Table)):
            for node in expression.find_all(exp.Literal):
                if node.is_string and node.this.translate(_SPECIAL).casefold() in self._first:
                    node.set("this", self.encode(node.this))


def _is_name(node):
    """Whether an identifier names a column or a table, rather than an option of the statement."""
    return isinstance(
        node.parent, (exp.Column, exp.ColumnDef, exp.Table, exp.TableAlias, exp.Alias, exp.Schema, exp.Tuple)
    )
