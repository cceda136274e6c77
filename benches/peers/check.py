"""Reads back what a peer wrote, by pyarrow, and prints what is there as JSON.

usage: check.py FOLDER [TABLE | --ids]

{"rows", "files", "bytes", "compression": [...], "types": {column: type}, "sums": {column: text}}

With --ids: {"ids": [...]}, each as often as it is there.
"""

import decimal
import glob
import json
import os
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tables import SUMS

MODULUS = 1_000_003


def kind(data):
    """The type without the names of what is within, and whether that may be null."""
    if isinstance(data, pa.BaseExtensionType):
        name = data.extension_name
        return kind(data.storage_type) if name == "arrow.opaque" else f"extension<{name}>"
    if pa.types.is_list(data) or pa.types.is_large_list(data):
        return f"{'large_' if pa.types.is_large_list(data) else ''}list<{kind(data.value_type)}>"
    return str(data).replace("tz=+00:00", "tz=UTC")


def total(array, what):
    """The sum of what is wanted of each value, exactly."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if what == "count":
        return len(array) - array.null_count
    if what == "value":
        if pa.types.is_decimal(array.type) or pa.types.is_string(array.type):
            array = array.cast(pa.decimal128(38, 10))
    elif what == "days":
        array = array.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    elif what == "microseconds":
        array = array.cast(pa.int64())
        array = pc.subtract(array, pc.multiply(pc.divide(array, MODULUS), MODULUS))
    elif what == "length":
        array = pc.utf8_length(array)
    elif what == "elements":
        array = pc.list_value_length(array)
    return pc.sum(array).as_py() or 0


def main():
    folder, wanted = sys.argv[1:]
    paths = sorted(glob.glob(os.path.join(folder, "**", "*.parquet"), recursive=True))
    # Hidden folders are not looked into, as by other readers.
    paths = [path for path in paths if "/_" not in path.removeprefix(folder)]
    files = [pq.ParquetFile(path) for path in paths]
    if wanted == "--ids":
        return {"ids": [row for file in files for row in file.read(["id"])["id"].to_pylist()]}
    footers = [file.metadata for file in files]
    groups = [footer.row_group(at) for footer in footers for at in range(footer.num_row_groups)]
    found = {
        "rows": sum(footer.num_rows for footer in footers),
        "files": len(files),
        "bytes": sum(map(os.path.getsize, paths)),
        "compression": sorted({group.column(at).compression for group in groups for at in range(group.num_columns)}),
        "types": {field.name: kind(field.type) for field in files[0].schema_arrow} if files else {},
        "sums": {},
    }
    for _, column, what in SUMS[wanted]:
        summed = decimal.Decimal(0)
        try:
            for file in files:
                for batch in file.iter_batches(columns=[column]):
                    summed += total(batch.column(0), what)
            found["sums"][column] = str(summed.normalize())
        except (pa.ArrowException, AttributeError) as error:
            # A column of another type: that is told, and what it holds is not compared.
            found["sums"][column] = f"not comparable: {str(error).splitlines()[0][:80]}"
    return found


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
