"""How the service's Parquet reader takes each column, and what it can't be trusted with."""

import json

import pyarrow.parquet

from refusal import Refusal

_NUMBER = ("DECIMAL", "BIGINT", "HUGEINT", "INTEGER", "DOUBLE")
_TEXT_CASTS = {"BOOLEAN", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "BIGINT", "JSON"}


class File:
    """A Parquet file that is to be loaded."""

    def __init__(self, local, shown, options, timezone):
        self.local, self.shown = str(local), shown
        self._options, self._timezone = options, timezone
        try:
            with pyarrow.parquet.ParquetFile(self.local) as file:
                self.rows = file.metadata.num_rows
                self._schema = file.schema
                self._arrow = file.schema_arrow
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise Refusal(
                100142, f"Invalid data encountered during decompression for file: '{shown}': {error}", "22000"
            ) from error
        leaves = [self._schema.column(index) for index in range(len(self._schema))]
        # A dot may be a part of a name, or stand between a column and what is in it.
        self._leaves = {
            name: [leaf for leaf in leaves if leaf.path == name]
            or [leaf for leaf in leaves if leaf.path.startswith(f"{name}.")]
            for name in self._arrow.names
        }

    def columns(self):
        return self._arrow.names

    def value(self, name, target, type_name):
        """The SQL that gives a column as the table's column of that type gets it."""
        lands = self._lands_as(name)
        quoted = '"' + name.replace('"', '""') + '"'
        if lands == "nested":
            if type_name != "JSON":
                raise self._misread(
                    name, target, "it is a list, map or struct; the column is no VARIANT, ARRAY or OBJECT"
                )
            return f"to_json({quoted})"
        if type_name == "JSON":
            return f"to_json({quoted})"
        base = "DECIMAL" if type_name.startswith("DECIMAL") else type_name
        is_right = {
            "number": base in _NUMBER or base == "VARCHAR",
            "real": base in _NUMBER or base == "VARCHAR",
            "boolean": base in ("BOOLEAN", "VARCHAR"),
            "date": base in ("DATE", "VARCHAR", "TIMESTAMP"),
            "timestamp_ntz": base in ("TIMESTAMP", "TIMESTAMP_NS", "VARCHAR", "DATE"),
            "timestamp_tz": base in ("TIMESTAMP WITH TIME ZONE", "VARCHAR"),
            "text": base in _TEXT_CASTS or base in ("VARCHAR", "DECIMAL", "TIMESTAMP_NS"),
            "binary": base == "BLOB",
        }[lands]
        if not is_right:
            raise self._misread(name, target, f"it lands as {lands}, and the column's type is {type_name}")
        return f"CAST({quoted} AS {type_name})"

    def _lands_as(self, name):
        leaves = self._leaves[name]
        if len(leaves) > 1 or leaves[0].path != name:
            return "nested"
        leaf = leaves[0]
        physical, kind = leaf.physical_type, leaf.logical_type.type
        logical = self._options.get("USE_LOGICAL_TYPE") is True
        as_text = self._options.get("BINARY_AS_TEXT", True)
        if physical == "INT96":
            raise self._misread(name, name, "INT96 timestamps are not to be relied on")
        if kind == "INTERVAL" or leaf.converted_type == "INTERVAL":
            raise self._misread(name, name, "there is no type for intervals")
        if kind == "TIMESTAMP" and logical:
            return self._timestamp(name, leaf)
        if kind in ("TIMESTAMP", "TIME"):
            why = (
                "without USE_LOGICAL_TYPE it lands as a bare number"
                if kind == "TIMESTAMP"
                else ("it lands as a bare number, which binds to no TIME")
            )
            raise self._misread(name, name, why)
        if kind == "DECIMAL":
            if leaf.precision > 38:
                raise self._misread(name, name, f"{leaf.precision} digits are more than 38")
            return "number"
        if kind == "DATE":
            return "date"
        if kind in ("STRING", "JSON", "ENUM"):
            return "text"
        if kind == "UUID":
            return "binary"
        if physical in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"):
            return "text" if as_text else "binary"
        return {"BOOLEAN": "boolean", "FLOAT": "real", "DOUBLE": "real"}.get(physical, "number")

    def _timestamp(self, name, leaf):
        if not json.loads(leaf.logical_type.to_json())["isAdjustedToUTC"]:
            return "timestamp_ntz"
        if self._timezone.upper() not in ("UTC", "ETC/UTC"):
            raise self._misread(
                name, name, f"the session's TIMEZONE is {self._timezone}: instants would shift"
            )
        return "timestamp_tz"

    def _misread(self, name, target, why):
        return Refusal(
            100071,
            f"Failed to cast variant value of column {name} of file '{self.shown}' to {target}: "
            f"the service would refuse or misread it: {why}",
            "22000",
        )
