"""Reads Parquet files with PyArrow and DuckDB and prints what each of them sees.

usage: read_parquet.py FOLDER_OR_GLOB [--s3 ENDPOINT KEY SECRET] [--no-rows]

{"files": [...], "num_rows": n,
 "schema": [{"name", "type", "nullable", "metadata"}], "schema_metadata": {...},
 "parquet": [{"name", "physical", "logical", "repetition"}], "compression": [...],
 "duckdb": [{"name", "type"}], "rows": [[text or null]], "duckdb_rows": [[text or null]]}

Files are in the order of their names. The schema is that of the first; another one differing from
it is an error. Rows are those of all files in that order.
"""

import argparse
import datetime
import decimal
import glob
import json
import os
import sys

import duckdb
import pyarrow.parquet as pq

from remote import Bucket


def text(value):
    """A value as text; null stays null. Dates are ISO, nested values JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray)):
        return "\\x" + value.hex()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, default=text, ensure_ascii=False)
    return str(value)


def column_texts(column):
    try:
        return [text(value) for value in column.to_pylist()]
    except (ValueError, OverflowError, ImportError):
        # A date or time beyond what Python has.
        return [text(value) for value in column.cast("string").to_pylist()]


def metadata(pairs):
    return {key.decode(): value.decode(errors="replace") for key, value in (pairs or {}).items()}


def leaf(column):
    repetition = "required" if column.max_definition_level == 0 else "optional"
    return {
        "name": column.path,
        "physical": column.physical_type,
        "logical": str(column.logical_type),
        "repetition": "repeated" if column.max_repetition_level else repetition,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("where")
    parser.add_argument("--s3", nargs=3)
    parser.add_argument("--no-rows", action="store_true")
    arguments = parser.parse_args()
    bucket = Bucket(*arguments.s3) if arguments.s3 else None
    where = bucket.localise(arguments.where) if bucket else arguments.where
    pattern = os.path.join(where, "**", "*.parquet") if os.path.isdir(where) else where
    paths = sorted(glob.glob(pattern, recursive=True))
    if not paths:
        sys.exit(f"no files: {pattern}")
    files = [pq.ParquetFile(path) for path in paths]
    schema = files[0].schema_arrow
    for path, file in zip(paths, files):
        if not file.schema_arrow.equals(schema):
            sys.exit(f"{path} differs in schema:\n{file.schema_arrow}\nfrom {paths[0]}:\n{schema}")
    footers = [file.metadata for file in files]
    groups = [footer.row_group(group) for footer in footers for group in range(footer.num_row_groups)]
    session = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    query = session.sql("SELECT * FROM read_parquet($paths)", params={"paths": paths})
    result = {
        "files": [os.path.basename(path) for path in paths],
        "num_rows": sum(footer.num_rows for footer in footers),
        "row_groups": [group.num_rows for group in groups],
        "schema": [
            {
                "name": field.name,
                "type": str(field.type),
                "nullable": field.nullable,
                "metadata": metadata(field.metadata),
            }
            for field in schema
        ],
        "schema_metadata": metadata(schema.metadata),
        "parquet": [leaf(files[0].schema.column(index)) for index in range(len(files[0].schema))],
        "compression": sorted(
            {group.column(index).compression for group in groups for index in range(group.num_columns)}
        ),
        "duckdb": [
            {"name": name, "type": str(kind)} for name, kind in zip(query.columns, query.types)
        ],
    }
    if not arguments.no_rows:
        result["rows"] = [
            list(row)
            for file in files
            for row in zip(*map(column_texts, file.read().columns))
        ]
        texts = session.sql(
            "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet($paths)", params={"paths": paths}
        )
        result["duckdb_rows"] = [list(row) for row in texts.fetchall()]
    json.dump(result, sys.stdout)


main()
