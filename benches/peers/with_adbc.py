"""ADBC's PostgreSQL driver, batch by batch into pyarrow's Parquet writer."""

import sys

from peer import BY_HAND, Peer, next_file, query, script

PEERS = [
    Peer(
        "ADBC",
        "`fetch_record_batch`, each batch to pyarrow's `ParquetWriter(compression='zstd')`",
        ("load", "increment", "late"),
        script(__file__),
        ("adbc-driver-postgresql", "pyarrow"),
        finds=BY_HAND,
    )
]


def main(url, table, folder, job):
    import adbc_driver_postgresql.dbapi as postgres
    import pyarrow.parquet as pq

    with postgres.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(query(table, folder, job))
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(next_file(folder), reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


if __name__ == "__main__":
    main(*sys.argv[1:])
