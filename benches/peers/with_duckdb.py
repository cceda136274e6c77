"""DuckDB with its postgres extension, from the package that carries it: nothing is downloaded."""

import glob
import os
import sys

from peer import BY_HAND, CURSORS, Peer, data, next_file, script

PEERS = [
    Peer(
        "DuckDB",
        "`ATTACH … (TYPE postgres)`, `COPY … TO … (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)`, "
        "`SET preserve_insertion_order = false`",
        ("load", "increment", "late"),
        script(__file__),
        ("duckdb", "duckdb-extension-postgres-scanner"),
        finds=BY_HAND,
    )
]


def main(url, table, folder, job):
    import duckdb
    import duckdb_extension_postgres_scanner as package

    [extension] = glob.glob(os.path.dirname(package.__file__) + "/extensions/*/*.duckdb_extension")
    session = duckdb.connect()
    session.execute(f"LOAD '{extension}'")
    session.execute("SET preserve_insertion_order = false")
    session.execute("SET TimeZone = 'UTC'")
    session.execute(f"ATTACH '{url}' AS pg (TYPE postgres, READ_ONLY)")
    rows = f"SELECT * FROM pg.public.{table}"
    if job != "load":
        cursor = CURSORS[table]
        [greatest] = session.execute(f"SELECT max({cursor})::VARCHAR FROM '{data(folder)}/*.parquet'").fetchone()
        rows += f" WHERE {cursor} > TIMESTAMPTZ '{greatest}'"
    session.execute(f"COPY ({rows}) TO '{next_file(folder)}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")


if __name__ == "__main__":
    main(*sys.argv[1:])
