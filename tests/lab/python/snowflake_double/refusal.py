"""What the service refuses, by its own codes."""

import re

import duckdb

import names


class Refusal(Exception):
    """An answer with `success: false`, under HTTP 200 as the service sends it."""

    def __init__(self, code, message, state="42000", status=200):
        message = names.plain(message)
        super().__init__(message)
        self.code, self.message, self.state, self.status = f"{int(code):06d}", message, state, status


class Hangup(Exception):
    """The connection ends without an answer."""


class Status(Exception):
    """A bare HTTP status, as load balancers before the service send it."""

    def __init__(self, status, headers=()):
        super().__init__(status)
        self.status, self.headers = status, dict(headers)


def missing(kind, name):
    """What is not there and what one may not see look alike."""
    message = f"SQL compilation error:\n{kind} '{name}' does not exist or not authorized."
    return Refusal(2003, message, "02000")


def denied(kind, name):
    return Refusal(
        3001, f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'", "42501"
    )


def canceled():
    return Refusal(604, "SQL execution canceled", "57014")


def unsupported(text):
    """The stand-in does not know this; the service may."""
    return Refusal(2, f"the stand-in does not support: {text}", "0A000")


def from_duckdb(error):
    """The refusal that says the same as an error of DuckDB."""
    text = str(error)
    if isinstance(error, duckdb.InterruptException):
        return canceled()
    if isinstance(error, duckdb.ConstraintException) and "NOT NULL" in text:
        column = re.search(r"failed: \S*?\.?([^.\s]+)$", text.split("\n")[0])
        name = f" {column[1]}" if column else ""
        return Refusal(
            100072,
            f"DML operation to table failed on column{name} with error: NULL result in a non-nullable column",
            "22000",
        )
    if isinstance(error, duckdb.CatalogException):
        return _from_catalog(text)
    if isinstance(error, duckdb.BinderException):
        column = re.search(r'(?:column|Column) "?([^"]+?)"? (?:not found|does not)', text)
        if column:
            return Refusal(904, f"SQL compilation error:\ninvalid identifier '{column[1]}'")
        if re.search(r"(Catalog|Schema|Table) .* does not exist", text):
            return _from_catalog(text)
        return Refusal(2043, f"SQL compilation error:\n{text}", "02000")
    if isinstance(error, duckdb.ParserException):
        return Refusal(1003, f"SQL compilation error:\n{text}")
    if isinstance(error, duckdb.OutOfRangeException):
        return Refusal(100039, f"Numeric value is out of range: {text}", "22003")
    if "Malformed JSON" in text:
        return Refusal(100069, f"Error parsing JSON: {text.splitlines()[0]}", "22P02")
    if isinstance(error, duckdb.ConversionException):
        code = 100046 if "out of range" in text else 100035 if "timestamp" in text.lower() else 100038
        return Refusal(code, text.split("\n")[0], "22018")
    return Refusal(603, f"SQL execution internal error: {type(error).__name__}: {text}", "XX000")


def _from_catalog(text):
    if "already exists" in text:
        name = re.search(r'name "?([^"\s]+)"? already', text)
        return Refusal(
            2002, f"SQL compilation error:\nObject '{name[1] if name else ''}' already exists.", "42710"
        )
    name = re.search(r'name "?([^"]+?)"? does not exist', text)
    if "Function" in text:
        return Refusal(2140, f"SQL compilation error:\nUnknown function {name[1] if name else ''}")
    kind = next((kind for kind in ("Table", "Schema", "Database", "View") if kind in text), "Object")
    return missing(kind if kind != "View" else "Object", name[1] if name else text.split("\n")[0])


def from_fakesnow(error):
    """The refusal that says the same as an error fakesnow raises."""
    cause = error.__cause__
    if isinstance(cause, duckdb.Error):
        return from_duckdb(cause)
    message = getattr(error, "raw_msg", None) or getattr(error, "msg", None) or str(error)
    return Refusal(error.errno or 2, message, error.sqlstate or "42000")
