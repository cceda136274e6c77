"""dlt: sql_table by connectorx, streamed, into Parquet by its filesystem destination. It keeps a state of its own."""

import os
import sys

from peer import CURSORS, Peer, data, script

SETTINGS = (
    "`sql_table(…, backend='connectorx', backend_kwargs={'return_type': 'arrow_stream'}, chunk_size=50_000, "
    "reflection_level='full_with_precision')`, `filesystem` destination, `loader_file_format='parquet'`, zstd"
)
FINDS = "`incremental('updated_at')`, `primary_key='id'`, append"
PEERS = [
    Peer(
        "dlt", SETTINGS, ("load", "increment", "late"), script(__file__), ("dlt", "connectorx", "sqlalchemy"), finds=FINDS
    ),
    Peer("dlt, a lag", SETTINGS, ("late",), script(__file__, "60"), ("dlt",), finds=f"{FINDS}, `lag=60`"),
]


def main(url, table, folder, job, lag=None):
    os.environ |= {
        "DLT_DATA_DIR": os.path.join(folder, "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__COMPRESSION": "zstd",
        # It keeps a second copy of each file otherwise.
        "LOAD__DELETE_COMPLETED_JOBS": "true",
    }
    import dlt
    from dlt.sources.sql_database import sql_table

    cursor = CURSORS.get(table)
    rows = sql_table(
        credentials=url.replace("postgres://", "postgresql://", 1),
        table=table,
        schema="public",
        backend="connectorx",
        backend_kwargs={"return_type": "arrow_stream"},
        chunk_size=50_000,
        reflection_level="full_with_precision",
        incremental=dlt.sources.incremental(cursor, lag=float(lag) if lag else None) if cursor else None,
        primary_key="id" if cursor else None,
    )
    pipeline = dlt.pipeline(
        "peer",
        destination=dlt.destinations.filesystem(bucket_url=data(folder)),
        dataset_name="raw",
        pipelines_dir=os.path.join(folder, "pipelines"),
    )
    disposition = "append" if cursor else "replace"
    pipeline.run(rows, loader_file_format="parquet", write_disposition=disposition).raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
