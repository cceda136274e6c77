"""connectorx, parted by the key, as a stream of batches into pyarrow's Parquet writer."""

import sys

from peer import BY_HAND, KEYS, Peer, next_file, query, script

PEERS = [
    Peer(
        "connectorx",
        "`read_sql(…, return_type='arrow_stream', batch_size=50_000, partition_on=KEY, partition_num=2)`, each batch to "
        "pyarrow's `ParquetWriter(compression='zstd')`",
        ("load", "increment", "late"),
        script(__file__),
        ("connectorx", "pyarrow"),
        finds=BY_HAND,
    )
]


def main(url, table, folder, job):
    import connectorx
    import pyarrow.parquet as pq

    parts = {"partition_on": KEYS[table], "partition_num": 2} if job == "load" else {}
    rows = query(table, folder, job)
    reader = connectorx.read_sql(url, rows, return_type="arrow_stream", batch_size=50_000, **parts)
    writer = None
    for batch in reader:
        writer = writer or pq.ParquetWriter(next_file(folder), batch.schema, compression="zstd")
        writer.write_batch(batch)
    if writer:
        writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
