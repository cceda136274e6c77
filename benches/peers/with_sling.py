"""sling, the last version whose program is in a package. Increments into files need a licence; those into a database don't."""

import importlib.util
import os

from peer import CURSORS, HERE, KEYS, Peer, next_file

# Without it sling downloads DuckDB to write Parquet.
ENVIRONMENT = {
    "SLING_DUCKDB_COMPUTE": "false",
    "SLING_DISABLE_TELEMETRY": "true",
    "SLING_HOME_DIR": os.path.join(os.path.dirname(os.path.dirname(HERE)), "target", "peers", "sling"),
}


def run(url, table, *target):
    program = os.environ.get("SLING")
    if not program:
        [folder] = importlib.util.find_spec("sling_linux_amd64").submodule_search_locations
        program = os.path.join(folder, "bin", "sling-linux-amd64")
    return [program, "run", "--src-conn", f"{url}?sslmode=disable", "--src-stream", f"public.{table}", *target]


def load(url, table, folder, job):
    options = '{"format": "parquet", "compression": "zstd"}'
    return run(url, table, "--tgt-object", f"file://{next_file(folder)}", "--tgt-options", options)


def merge(url, table, folder, job):
    target = ["--tgt-conn", f"{url}?sslmode=disable", "--tgt-object", f"sling.{table}"]
    return run(
        url, table, *target, "--mode", "incremental", "--update-key", CURSORS[table], "--primary-key", KEYS[table]
    )


PEERS = [
    Peer(
        "sling",
        '`run --tgt-object file://… --tgt-options {"format": "parquet", "compression": "zstd"}`, `SLING_DUCKDB_COMPUTE=false`',
        ("load",),
        load,
        ("sling-linux-amd64",),
        ENVIRONMENT,
        lacks="increments into files (`SLING_STATE`) need a licence",
    ),
    Peer(
        "sling, incremental",
        "into PostgreSQL",
        ("late",),
        merge,
        ("sling-linux-amd64",),
        ENVIRONMENT,
        schema="sling",
        finds="`--mode incremental --update-key updated_at --primary-key id` into PostgreSQL",
    ),
]
