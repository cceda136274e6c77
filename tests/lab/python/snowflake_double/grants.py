"""What the account's role may do. It may do all until a test takes something away."""

import re

from sqlglot import exp

from refusal import denied, missing
from statement import name_of

# What a loader can be denied, as GRANT names it.
PRIVILEGES = {
    "USAGE ON WAREHOUSE",
    "USAGE ON DATABASE",
    "USAGE ON SCHEMA",
    "CREATE SCHEMA",
    "CREATE TABLE",
    "CREATE STAGE",
    "READ ON STAGE",
    "WRITE ON STAGE",
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "OWNERSHIP",
}


class Grants:
    def __init__(self, role, warehouse):
        self.roles, self.warehouses = [role, "PUBLIC"], [warehouse]
        self._denied = set()

    def deny(self, privilege):
        if privilege.upper() not in PRIVILEGES:
            raise ValueError(f"{privilege} is none of {sorted(PRIVILEGES)}")
        self._denied.add(privilege.upper())

    def allow_all(self):
        self._denied.clear()

    def is_denied(self, privilege):
        return privilege in self._denied

    def has_warehouse(self, name):
        return name in self.warehouses and not self.is_denied("USAGE ON WAREHOUSE")

    def check(self, session, statement):
        """Raises where the statement needs what was taken away, as the service words it."""
        if not self._denied:
            return
        for privilege, kind, error in self._needs(session, statement):
            if self.is_denied(privilege):
                raise error(kind, _object(session, statement, kind))

    def _needs(self, session, statement):
        database, schema = ("USAGE ON DATABASE", "Database", missing), ("USAGE ON SCHEMA", "Schema", missing)
        here = [database, schema]
        if statement.begins("CREATE", "SCHEMA"):
            return [database, ("CREATE SCHEMA", "database", denied)]
        if statement.begins("CREATE") and "STAGE" in statement.words[:5]:
            return [*here, ("CREATE STAGE", "schema", denied)]
        if statement.begins("CREATE") and "TABLE" in statement.words[:6]:
            return [*here, ("CREATE TABLE", "schema", denied)]
        if (
            statement.begins("ALTER", "TABLE")
            or statement.begins("DROP", "TABLE")
            or statement.begins("COMMENT")
        ):
            return [*here, ("OWNERSHIP", "table", denied)]
        if statement.begins("TRUNCATE"):
            return [*here, ("TRUNCATE", "table", denied)]
        if statement.words[:1] in (["PUT"], ["REMOVE"], ["RM"]):
            return [*here, ("WRITE ON STAGE", "stage", denied)]
        if statement.words[:1] in (["GET"], ["LIST"], ["LS"]):
            return [*here, ("READ ON STAGE", "stage", denied)]
        if statement.begins("COPY", "INTO"):
            return [*here, ("READ ON STAGE", "stage", denied), ("INSERT", "table", denied)]
        if statement.words[:1] in (["INSERT"], ["UPDATE"], ["DELETE"], ["MERGE"]):
            return [*here, *self._changes(statement)]
        if statement.is_query() and re.search(r"\bFROM\b", statement.text, re.I):
            return [*here, ("SELECT", "Object", missing)]
        return []

    def _changes(self, statement):
        if isinstance(statement.expression, exp.Merge):
            return [
                (kind, "table", denied)
                for kind in ("INSERT", "UPDATE", "DELETE")
                if kind in statement.text.upper()
            ]
        return [(statement.words[0], "table", denied)]

    def listed(self, session):
        """What `SHOW GRANTS` lists: privilege, kind and name of the object."""
        database, schema = session.connection.database or "", session.connection._schema or ""
        within = f"{database}.{schema}"
        found = [("USAGE ON WAREHOUSE", "USAGE", "WAREHOUSE", name) for name in self.warehouses]
        found += [
            ("USAGE ON DATABASE", "USAGE", "DATABASE", database),
            ("CREATE SCHEMA", "CREATE SCHEMA", "DATABASE", database),
        ]
        found += [
            ("USAGE ON SCHEMA", "USAGE", "SCHEMA", within),
            ("CREATE TABLE", "CREATE TABLE", "SCHEMA", within),
            ("CREATE STAGE", "CREATE STAGE", "SCHEMA", within),
        ]
        return [(privilege, kind, name) for need, privilege, kind, name in found if not self.is_denied(need)]


def _object(session, statement, kind):
    """The name that the message gives."""
    kind = kind.lower()
    if kind == "database":
        return session.connection.database
    if kind == "schema":
        return session.connection._schema
    if kind == "stage":
        stage = re.search(r"@[\"\w$.~%]+", statement.text)
        return stage[0].lstrip("@").replace('"', "").split(".")[-1] if stage else ""
    table = None if statement.begins("COPY") else next(statement.expression.find_all(exp.Table), None)
    return name_of(table.this) if table is not None and isinstance(table.this, exp.Identifier) else ""
