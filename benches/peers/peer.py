"""What a peer is to the runner.

A peer is a file `with_NAME.py` with a list PEERS. Each gives a command for a job:

load       all rows of a table into zstd Parquet below FOLDER/data, or aside in FOLDER
increment  what is new since the last load or increment into the same FOLDER
late       the same as increment, for the table whose transactions commit late

A command gets the URL of the server, the table, the folder and the job. Where the peer is a library, the
command is the file itself: `with_NAME.py URL TABLE FOLDER JOB`.
"""

import glob
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata

HERE = os.path.dirname(os.path.abspath(__file__))
# The column that orders the rows of a table, by which it is parted, and that which says when a row changed.
KEYS = {"lineitem": "l_orderkey", "payments": "id", "late": "id"}
CURSORS = {"payments": "updated_at", "late": "updated_at"}
# Programs that may be other ones than those of the packages, and the variables that hold their paths.
OWN = {"ingestr": "INGESTR", "sling-linux-amd64": "SLING"}
# What finds new rows where a tool leaves that to its user.
BY_HAND = "a script of one's own: `updated_at > max`"


@dataclass
class Peer:
    name: str
    # What it is asked to do, as a reader of the results would have to type it.
    settings: str
    jobs: tuple[str, ...]
    # (url, table, folder, job) to the arguments of a process.
    command: Callable[[str, str, str, str], list[str]]
    # Packages of requirements.txt whose versions are told.
    packages: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # The schema of the source's server that rows of the job `late` go to, where it is not Parquet.
    schema: str | None = None
    # How its increments find what is new.
    finds: str = ""
    # Why a job is left out.
    lacks: str = ""

    def version(self):
        return ", ".join(
            f"{name} of ${OWN[name]}" if OWN.get(name, "") in os.environ else f"{name} {metadata.version(name)}"
            for name in self.packages
        )


def script(file, *options):
    """The command of a peer that is a library."""
    return lambda url, table, folder, job: [sys.executable, file, url, table, folder, job, *options]


def data(folder):
    path = os.path.join(folder, "data")
    os.makedirs(path, exist_ok=True)
    return path


def next_file(folder):
    """The path of one more Parquet file in a folder."""
    path = data(folder)
    return os.path.join(path, f"{len(glob.glob(path + '/*.parquet')):06}.parquet")


def query(table, folder, job):
    """What a script of one's own asks for: everything, or what is greater than the greatest value so far."""
    if job == "load":
        return f"SELECT * FROM {table}"
    return f"SELECT * FROM {table} WHERE {CURSORS[table]} > '{greatest(table, folder)}'"


def greatest(table, folder):
    """The greatest value of the cursor in the files, from their footers."""
    import pyarrow.parquet as pq

    values = []
    for path in glob.glob(data(folder) + "/*.parquet"):
        footer = pq.ParquetFile(path).metadata
        # As good as the number of its leaf: no column before it is nested.
        index = footer.schema.to_arrow_schema().names.index(CURSORS[table])
        for group in range(footer.num_row_groups):
            if footer.row_group(group).num_rows:
                values.append(footer.row_group(group).column(index).statistics.max)
    return max(values).isoformat()
