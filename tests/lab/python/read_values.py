"""Reads Parquet files with PyArrow and DuckDB and prints every value as each of them sees it.

usage: read_values.py FOLDER_OR_GLOB KEY [--s3 ENDPOINT KEY SECRET]

{"files": n, "num_rows": n, "compression": [...],
 "columns": {name: {"type", "nullable", "metadata", "leaves": [[physical, logical]], "duckdb",
                    "pyarrow": [value], "duckdb_values": [value]}}}

Rows are in the order of the whole numbers in the column KEY. A value is null, a text, a list or an
object of such. Dates are days and times microseconds since 1970 or midnight, floats the sixteen
digits of their bits, bytes `\\x` and their digits: a value has one text, whoever read it.
"""

import argparse
import glob
import json
import os
import struct
import sys
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from remote import Bucket


def bits(value):
    return "NaN" if value != value else struct.pack(">d", value).hex()


def nested(array, make):
    """One value for each list, made by `make` from the place of its first element and its last."""
    offsets = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [make(offsets[at], offsets[at + 1]) if valid[at] else None for at in range(len(array))]


def texts(array):
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        values = texts(array.storage)
        if kind.extension_name == "arrow.uuid":
            values = [value and str(uuid.UUID(value[2:])) for value in values]
        return values
    if pa.types.is_map(kind):
        keys, items = texts(array.keys), texts(array.items)
        return nested(array, lambda start, end: dict(zip(keys[start:end], items[start:end])))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        elements = texts(array.values)
        return nested(array, lambda start, end: elements[start:end])
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        columns = [texts(array.field(index)) for index in range(len(names))]
        valid = array.is_valid().to_pylist()
        return [dict(zip(names, row)) if valid[at] else None for at, row in enumerate(zip(*columns))]
    if pa.types.is_date32(kind):
        array = array.cast(pa.int32())
    elif pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        if kind.unit != "us":
            sys.exit(f"not microseconds: {kind}")
        array = array.cast(pa.int64())
    elif pa.types.is_temporal(kind):
        sys.exit(f"an unforeseen type: {kind}")
    return [None if value is None else text(value) for value in array.to_pylist()]


def text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return bits(value)
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    return format(value, "f")


def columns(table, key):
    """The texts of every column, ordered by the whole numbers in one."""
    read = {name: texts(table[name].combine_chunks()) for name in table.column_names}
    order = sorted(range(table.num_rows), key=lambda row: int(read[key][row]))
    return {name: [values[row] for row in order] for name, values in read.items()}



def metadata(pairs):
    return {key.decode(): value.decode(errors="replace") for key, value in (pairs or {}).items()}


def leaves(file, name):
    found = []
    for index in range(len(file.schema)):
        column = file.schema.column(index)
        if column.path == name or column.path.startswith(name + "."):
            found.append([column.physical_type, str(column.logical_type)])
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("where")
    parser.add_argument("key")
    parser.add_argument("--s3", nargs=3)
    arguments = parser.parse_args()
    bucket = Bucket(*arguments.s3) if arguments.s3 else None
    where = bucket.localise(arguments.where) if bucket else arguments.where
    pattern = os.path.join(where, "**", "*.parquet") if os.path.isdir(where) else where
    paths = sorted(glob.glob(pattern, recursive=True))
    if not paths:
        sys.exit(f"no files: {pattern}")
    files = [pq.ParquetFile(path) for path in paths]
    schema = files[0].schema_arrow
    table = pa.concat_tables([file.read() for file in files])
    session = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    query = session.sql("SELECT * FROM read_parquet($paths)", params={"paths": paths})
    kinds = {name: str(kind) for name, kind in zip(query.columns, query.types)}
    seen, seen_by_duckdb = columns(table, arguments.key), columns(query.to_arrow_table(), arguments.key)
    groups = [
        file.metadata.row_group(group) for file in files for group in range(file.metadata.num_row_groups)
    ]
    result = {
        "files": len(files),
        "num_rows": table.num_rows,
        "compression": sorted(
            {group.column(index).compression for group in groups for index in range(group.num_columns)}
        ),
        "columns": {
            field.name: {
                "type": str(field.type),
                "nullable": field.nullable,
                "metadata": metadata(field.metadata),
                "leaves": leaves(files[0], field.name),
                "duckdb": kinds[field.name],
                "pyarrow": seen[field.name],
                "duckdb_values": seen_by_duckdb[field.name],
            }
            for field in schema
        },
    }
    json.dump(result, sys.stdout)


main()
