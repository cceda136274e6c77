"""ingestr, the last version whose program is in its package. Into Parquet it has no increments: it reads all rows again."""

import os
import sys
import time

from peer import CURSORS, KEYS, Peer, next_file

PROGRAM = os.environ.get("INGESTR", os.path.join(os.path.dirname(sys.executable), "ingestr"))


def ingest(url, table, target, name):
    source = ["--source-uri", url, "--source-table", f"public.{table}"]
    return [PROGRAM, "ingest", "--yes", "--progress", "log", *source, "--dest-uri", target, "--dest-table", name]


def load(url, table, folder, job):
    return ingest(url, table, f"parquet://{next_file(folder)}", f"raw.{table}")


def merge(schema, interval=False):
    """Into a schema of the source's own server; with an interval, from when the run before began, as schedulers tell it."""

    def command(url, table, folder, job):
        strategy = ["--incremental-strategy", "merge", "--incremental-key", CURSORS[table], "--primary-key", KEYS[table]]
        arguments = ingest(url, table, url, f"{schema}.{table}") + strategy
        note = os.path.join(folder, "began")
        if interval and os.path.exists(note):
            with open(note) as file:
                arguments += ["--interval-start", file.read()]
        with open(note, "w") as file:
            file.write(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        return arguments

    return command


MERGE = "`--incremental-strategy merge --incremental-key updated_at --primary-key id` into PostgreSQL"
PEERS = [
    Peer(
        "ingestr",
        "`ingest --dest-uri parquet://…`, which compresses by snappy and knows nothing else",
        ("load",),
        load,
        ("ingestr",),
        lacks="into Parquet each run reads all rows and appends them once more",
    ),
    Peer(
        "ingestr, merge",
        "into PostgreSQL",
        ("late",),
        merge("ingestr_merge"),
        ("ingestr",),
        schema="ingestr_merge",
        finds=f"{MERGE}: reads the whole table each time",
    ),
    Peer(
        "ingestr, intervals",
        "into PostgreSQL",
        ("late",),
        merge("ingestr_intervals", interval=True),
        ("ingestr",),
        schema="ingestr_intervals",
        finds="the same and `--interval-start`, the time when the run before began",
    ),
]
