"""COPY INTO a table: what it selects, what it remembers to have loaded, what it tells."""

import re

from sqlglot import exp, tokens
from sqlglot.dialects.snowflake import Snowflake

import engine
import parquet
import rows
import stage
from names import quoted
from refusal import Refusal, missing, unsupported
from statement import COPY

_PART = r'(?:"(?:[^"]|"")*"|[\w$]+)'
_TARGET = re.compile(
    rf"COPY\s+INTO\s+({_PART}(?:\.{_PART}){{0,2}})\s*(\((?:[^()\"]|\"(?:[^\"]|\"\")*\")*\))?\s*FROM\s+", re.I
)
_LOCATION = re.compile(r"('(?:[^']|'')*'|@(?:\"(?:[^\"]|\"\")*\"|[^\s'\";()])+)")
_HEADER = [
    "file",
    "status",
    "rows_parsed",
    "rows_loaded",
    "error_limit",
    "errors_seen",
    "first_error",
    "first_error_line",
    "first_error_character",
    "first_error_column_name",
]
_KNOWN = {
    "FILES",
    "PATTERN",
    "FILE_FORMAT",
    "MATCH_BY_COLUMN_NAME",
    "ON_ERROR",
    "PURGE",
    "FORCE",
    "LOAD_UNCERTAIN_FILES",
    "RETURN_FAILED_ONLY",
    "ENFORCE_LENGTH",
    "TRUNCATECOLUMNS",
    "SIZE_LIMIT",
    "LOAD_MODE",
}
_FORMAT_KNOWN = {
    "TYPE",
    "COMPRESSION",
    "USE_VECTORIZED_SCANNER",
    "USE_LOGICAL_TYPE",
    "BINARY_AS_TEXT",
    "SNAPPY_COMPRESSION",
    "REPLACE_INVALID_CHARACTERS",
    "TRIM_SPACE",
    "NULL_IF",
}


class Loads:
    """Which files each table has loaded, by content: 64 days in the service, for ever here."""

    def __init__(self):
        self._settled, self._open = {}, {}

    def has(self, table, file, transaction):
        known = {**self._settled.get(table, {}), **self._open.get(transaction, {}).get(table, {})}
        return known.get(file.shown) == file.etag

    def add(self, table, files, transaction):
        into = self._open.setdefault(transaction, {}) if transaction else self._settled
        into.setdefault(table, {}).update({file.shown: file.etag for file in files})

    def settle(self, transaction, is_committed):
        for table, files in self._open.pop(transaction, {}).items():
            if is_committed:
                self._settled.setdefault(table, {}).update(files)

    def forget(self, table):
        self._settled.pop(table, None)

    def swap(self, left, right):
        files = self._settled.pop(left, {}), self._settled.pop(right, {})
        self._settled[right], self._settled[left] = files


def run(session, statement):
    copy = _Copy(session, statement)
    folder = stage.folder()
    if session.transaction:
        # Its journal may have to read the files again.
        session.transaction.held.append(folder)
    files = [(file, copy.open(file, folder.name)) for file in copy.wanted()]
    return session.change(statement, lambda: copy.load(files), copy.target) if files else copy.told([])


class _Copy:
    def __init__(self, session, statement):
        self.session, self.statement = session, statement
        match = _TARGET.match(statement.text)
        if not match:
            raise unsupported(f"COPY into anything but a table: {statement.text[:80]}")
        self.target_text, columns = match.groups()
        expression = engine.parse(f"SELECT * FROM {self.target_text}").find(exp.Table)
        self.target = session.qualify(expression)
        self.columns = (
            [
                one.name if one.args.get("quoted") else one.name.upper()
                for one in engine.parse(f"SELECT {columns[1:-1]}").find_all(exp.Identifier)
            ]
            if columns
            else None
        )
        rest = statement.text[match.end() :]
        self.select, rest = self._source(rest)
        self.options = options(rest)
        self._check_options()
        self.stage, self.path = session.account.stages.find(session, self.reference)
        self.kinds = session.columns_of(self.target)
        if not self.kinds:
            raise missing("Table", ".".join(self.target))

    def _source(self, rest):
        """The stage, and the SELECT around it where there is one."""
        if not rest.startswith("("):
            match = _LOCATION.match(rest)
            if not match:
                raise Refusal(1003, f"SQL compilation error:\nsyntax error at {rest[:40]!r}")
            self.reference = match[1]
            return None, rest[match.end() :]
        depth, end = 0, None
        for token in Snowflake().tokenize(rest):
            depth += {tokens.TokenType.L_PAREN: 1, tokens.TokenType.R_PAREN: -1}.get(token.token_type, 0)
            if depth == 0:
                end = token.end + 1
                break
        inner = rest[1 : end - 1]
        place = re.search(rf"\bFROM\s+{_LOCATION.pattern}\s*(?:AS\s+)?({_PART})?", inner, re.I)
        self.reference, alias = place[1], place[2] or "T"
        return inner[: place.start()] + f'FROM "_STAGED" AS {alias}' + inner[place.end() :], rest[end:]

    def _check_options(self):
        if unknown := set(self.options) - _KNOWN:
            raise Refusal(1008, f"SQL compilation error:\ninvalid parameter '{sorted(unknown)[0]}'")
        self.format = self.options.get("FILE_FORMAT") or {}
        if not isinstance(self.format, dict) or self.format.get("TYPE", "").upper() != "PARQUET":
            raise unsupported("COPY of anything but FILE_FORMAT = (TYPE = PARQUET ...)")
        if unknown := set(self.format) - _FORMAT_KNOWN:
            raise Refusal(1008, f"SQL compilation error:\ninvalid parameter '{sorted(unknown)[0]}'")
        on_error = str(self.options.get("ON_ERROR", "ABORT_STATEMENT")).upper()
        if self.format.get("USE_VECTORIZED_SCANNER") is True and on_error not in (
            "ABORT_STATEMENT",
            "SKIP_FILE",
        ):
            raise Refusal(
                2, f"SQL compilation error:\nON_ERROR = {on_error} does not go with the vectorized scanner"
            )
        if on_error != "ABORT_STATEMENT":
            raise unsupported(f"ON_ERROR = {on_error}")
        if self.select and "MATCH_BY_COLUMN_NAME" in self.options:
            raise Refusal(2, "SQL compilation error:\nMATCH_BY_COLUMN_NAME does not go with a transformation")
        if len(self.options.get("FILES", ())) > 1000:
            raise Refusal(2, "SQL compilation error:\nFILES names more than 1000 files")

    def wanted(self):
        """The files that are selected and not loaded yet."""
        found = self.session.account.stages.list(self.stage, self.path)
        if (names := self.options.get("FILES")) is not None:
            by_path = {file.path: file for file in found}
            chosen = []
            for name in names:
                if self.path + name not in by_path:
                    shown = self.stage.shown(self.path + name)
                    raise Refusal(
                        91016,
                        f"Remote file '{shown}' was not found. There are several potential causes.",
                        "22000",
                    )
                chosen.append(by_path[self.path + name])
            found = chosen
        elif pattern := self.options.get("PATTERN"):
            found = [file for file in found if re.fullmatch(pattern, file.path)]
        self.skipped = []
        if self.options.get("FORCE") is not True:
            loads, transaction = self.session.account.loads, self.session.transaction
            self.skipped = [file for file in found if loads.has(self.target, file, transaction)]
        return [file for file in found if file not in self.skipped]

    def open(self, file, folder):
        local = self.session.account.stages.fetch(file, folder)
        return parquet.File(local, file.shown, self.format, self.session.parameters["TIMEZONE"])

    def load(self, files):
        told = []
        for staged, file in files:
            loaded = self._load_one(file)
            told.append([staged.shown, "LOADED", file.rows, loaded, 1, 0, None, None, None, None])
        self.session.account.loads.add(self.target, [staged for staged, _ in files], self.session.transaction)
        return self.told(told)

    def _load_one(self, file):
        duck = self.session.connection._duck_conn
        target = quoted(self.target)
        if self.select:
            selected = self._translate(file)
            columns = self.columns or list(self.kinds)
        else:
            columns, values = self._matched(file)
            selected = f"SELECT {', '.join(values)} FROM {_reader(file)}"
        names = ", ".join(quoted((self.session.account.names.encode(name),)) for name in columns)
        try:
            with engine.errors():
                return duck.execute(f"INSERT INTO {target} ({names}) {selected}").fetchone()[0]
        except Refusal as refusal:
            refusal.message += f"\n  File '{file.shown}'"
            raise

    def _matched(self, file):
        mode = str(self.options.get("MATCH_BY_COLUMN_NAME", "NONE")).upper()
        if mode not in ("CASE_SENSITIVE", "CASE_INSENSITIVE"):
            raise unsupported("COPY of Parquet without MATCH_BY_COLUMN_NAME or a transformation")

        def key(name):
            return name.upper() if mode == "CASE_INSENSITIVE" else name

        there = {key(name): name for name in file.columns()}
        wanted = [name for name in self.columns or self.kinds if key(name) in there]
        if not wanted:
            raise Refusal(
                2, f"SQL execution error: no column of file '{file.shown}' is one of the table's", "22000"
            )
        return wanted, [file.value(there[key(name)], name, self.kinds[name]) for name in wanted]

    def _translate(self, file):
        """The SELECT over the file, `$1:name` being its columns."""
        text = re.sub(
            r'(?<![\w$])(?:\w+\.)?\$1:("(?:[^"]|"")*"|\w+)',
            lambda found: '"_STAGED_' + (found[1][1:-1] if found[1].startswith('"') else found[1]) + '"',
            self.select,
        )
        text = re.sub(r"METADATA\$FILENAME", "'" + file.shown.replace("'", "''") + "'", text, flags=re.I)
        columns = ", ".join(f"{quoted((name,))} AS {quoted(('_STAGED_' + name,))}" for name in file.columns())
        for name in file.columns():
            if '"_STAGED_' + name.replace('"', '""') + '"' in text:
                file.value(name, name, "JSON")
        sql = engine.translate(self.session.connection, engine.parse(text))
        return re.sub(r'"_STAGED"', f"(SELECT {columns} FROM {_reader(file)})", sql, count=1)

    def told(self, loaded):
        if self.options.get("PURGE") is True:
            for file in self.session.account.stages.list(self.stage, self.path):
                if file.shown in {row[0] for row in loaded}:
                    self.session.account.stages.remove(file)
        if "FILES" in self.options:
            loaded = loaded + [
                [file.shown, "LOAD_SKIPPED", 0, 0, 0, 0, "File was loaded before.", None, None, None]
                for file in self.skipped
            ]
        if not loaded:
            return rows.success("Copy executed with 0 files processed.", COPY)
        if fault := self.session.account.faults.take("query", self.statement.text, {"rows"}):
            first = [loaded[0][0], fault.get("status", "LOADED"), loaded[0][2], loaded[0][3] + fault["rows"]]
            loaded = [[*first, *loaded[0][4:]], *loaded[1:]]
        changed = {"Inserted": sum(row[3] for row in loaded), "Updated": 0, "Deleted": 0}
        return rows.made(_HEADER, loaded, COPY, changed=changed)


def options(text):
    """`KEY = value` pairs; values are words, texts, truth values, lists and options themselves."""
    words = [(token.token_type, token.text) for token in Snowflake().tokenize(text)]
    found, rest = _options(words)
    if rest:
        raise Refusal(1003, f"SQL compilation error:\nsyntax error unexpected '{rest[0][1]}'")
    return found


def _options(words):
    found = {}
    while words and words[0][0] != tokens.TokenType.R_PAREN:
        if words[0][0] == tokens.TokenType.COMMA:
            words = words[1:]
            continue
        if len(words) < 3 or words[1][0] != tokens.TokenType.EQ:
            raise Refusal(1003, f"SQL compilation error:\nsyntax error unexpected '{words[0][1]}'")
        key, words = words[0][1].upper(), words[2:]
        found[key], words = _value(words)
    return found, words


def _value(words):
    kind, text = words[0]
    if kind != tokens.TokenType.L_PAREN:
        if kind == tokens.TokenType.STRING:
            return text, words[1:]
        return {"TRUE": True, "FALSE": False}.get(text.upper(), text), words[1:]
    if len(words) > 2 and words[2][0] == tokens.TokenType.EQ:
        found, words = _options(words[1:])
        return found, words[1:]
    listed, words = [], words[1:]
    while words[0][0] != tokens.TokenType.R_PAREN:
        if words[0][0] != tokens.TokenType.COMMA:
            listed.append(words[0][1])
        words = words[1:]
    return listed, words[1:]


def _reader(file):
    return f"read_parquet('{file.local}')"
