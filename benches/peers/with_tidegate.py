"""tidegate itself, with its default settings."""

import json
import os

from peer import CURSORS, HERE, Peer

PROGRAM = os.path.abspath(os.environ.get("TIDEGATE", os.path.join(HERE, "../../target/release/tidegate")))


def command(url, table, folder, job):
    stream = {"name": f"public.{table}"}
    if table in CURSORS:
        stream["cursor"] = CURSORS[table]
    if table == "late":
        # A small table is looked at as a whole, which would hide what is to be shown for large ones.
        stream["options"] = {"sweep": "never"}
    configuration = {
        "sources": {"db": {"type": "postgres", "url": "${file:url}"}},
        "destinations": {"lake": {"type": "parquet", "url": "data"}},
        "connections": {"db_to_lake": {"source": "db", "destination": "lake", "streams": [stream]}},
    }
    for name, text in [("url", url), ("tidegate.yaml", json.dumps(configuration))]:
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    return [PROGRAM, "--config", os.path.join(folder, "tidegate.yaml"), "--quiet", "--output", "json", "sync"]


PEERS = [
    Peer(
        "tidegate",
        "defaults",
        ("load", "increment", "late"),
        command,
        # Without this the small table of late rows would be looked at as a whole.
        finds="`cursor: updated_at`; in the small table of late rows also `sweep: never`",
    )
]
