"""Results as they go over the wire: rows of text, or Arrow for drivers that want it."""

import base64
import decimal
import math
from dataclasses import dataclass, field

import fakesnow.arrow
import pyarrow
import pyarrow.compute
from fakesnow.arrow import to_ipc, to_sf

from names import plain

NO_OFFSET = 1440


_to_struct = fakesnow.arrow.timestamp_to_sf_struct


def _with_nulls(instants):
    """Instants as the drivers' structs; fakesnow makes the epoch of those that are null."""
    instants = instants.combine_chunks() if isinstance(instants, pyarrow.ChunkedArray) else instants
    filled = _to_struct(
        pyarrow.compute.fill_null(instants, pyarrow.scalar(0, pyarrow.int64()).cast(instants.type))
    )
    parts = [filled.field(index) for index in range(filled.type.num_fields)]
    return pyarrow.StructArray.from_arrays(
        parts, fields=list(filled.type), mask=pyarrow.compute.is_null(instants)
    )


fakesnow.arrow.timestamp_to_sf_struct = _with_nulls


@dataclass
class Result:
    """What a statement answers."""

    columns: list
    rows: list
    type_id: int = 0
    # Rows inserted, updated and deleted; none where the statement does not change rows.
    changed: dict | None = None
    table: object = None
    # The whole `data` of an answer that is no table.
    data: dict | None = field(default=None)

    def answer(self, wants_arrow):
        """The part of the answer's `data` that holds the result."""
        if self.data is not None:
            return self.data
        data = {
            "rowtype": self.columns,
            "total": len(self.rows),
            "returned": len(self.rows),
            "statementTypeId": self.type_id,
        }
        if self.changed is not None:
            data["stats"] = {f"numRows{key}": count for key, count in self.changed.items()}
        if wants_arrow and self.table is not None:
            batch = to_ipc(to_sf(self.table, self.columns))
            return data | {"queryResultFormat": "arrow", "rowsetBase64": base64.b64encode(batch).decode()}
        return data | {"queryResultFormat": "json", "rowset": self.rows}


def column(name, kind="text", scale=None):
    """A column of a result that is made here."""
    length = 16777216 if kind == "text" else None
    return {
        "name": name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": True,
        "type": kind,
        "byteLength": length,
        "length": length,
        "scale": 0 if kind == "fixed" else scale,
        "precision": 38 if kind == "fixed" else None,
        "collation": None,
    }


def made(names, rows, type_id=0, **more):
    """A result of text and whole numbers; the first row says which column is which."""
    kinds = [
        "fixed" if isinstance(value, int) and not isinstance(value, bool) else "text"
        for value in (rows[0] if rows else [None] * len(names))
    ]
    columns = [column(name, kind) for name, kind in zip(names, kinds, strict=True)]
    return Result(columns, [[_plain(value) for value in row] for row in rows], type_id, **more)


def columns_of(table):
    """The columns of what a statement tells that it did: texts and counts."""
    return [
        column(field.name, "text" if pyarrow.types.is_string(field.type) else "fixed")
        for field in table.schema
    ]


def success(message="Statement executed successfully.", type_id=0):
    return made(["status"], [[message]], type_id)


def _plain(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else plain(str(value))


def from_arrow(columns, table, type_id):
    for one in columns:
        one["name"] = plain(one["name"])
    writers = [_writer(one["type"]) for one in columns]
    values = [
        [None if value is None else writer(value) for value in _bare(one).to_pylist()]
        for writer, one in zip(writers, table.columns, strict=True)
    ]
    rows = [list(row) for row in zip(*values, strict=True)]
    return Result(columns, rows, type_id, table=table.rename_columns([one["name"] for one in columns]))


def _bare(values):
    """Days and microseconds as numbers, since Python has no year 10000 and none before 1."""
    kind = values.type
    if pyarrow.types.is_timestamp(kind):
        micros = pyarrow.timestamp("us", kind.tz)
        return values.cast(micros, safe=False).cast(pyarrow.int64())
    if pyarrow.types.is_date32(kind):
        return values.cast(pyarrow.int32())
    if pyarrow.types.is_time(kind):
        return values.cast(pyarrow.time64("us"), safe=False).cast(pyarrow.int64())
    return values


def _writer(kind):
    return {
        "fixed": lambda value: format(value, "f") if isinstance(value, decimal.Decimal) else str(int(value)),
        "real": _real,
        "boolean": lambda value: "1" if value else "0",
        "time": _seconds,
        "timestamp_ntz": _seconds,
        "timestamp_ltz": _seconds,
        "timestamp_tz": lambda micros: f"{_seconds(micros)} {NO_OFFSET}",
        "binary": lambda value: value.hex().upper(),
    }.get(kind, lambda value: plain(str(value)))


def _real(value):
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _seconds(micros):
    """Seconds with nine digits after the point."""
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    return f"{sign}{micros // 1_000_000}.{micros % 1_000_000:06d}000"
