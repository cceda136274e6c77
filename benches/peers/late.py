"""Transactions that commit late, in small: how many of their rows each peer's own increments lose.

10,000 rows are there, and everyone has loaded them. Then, each of them 500 rows:

  late     inserted by a transaction that is still open when everyone reads again; it commits afterwards
  early    inserted and committed
  tie      inserted and committed; stamped with the whole second, which is the greatest value so far
  late tie the same second, by a transaction that commits after everyone has read
  after    inserted and committed once the open ones have ended

Then everyone reads twice more. Rows are never changed, so an id that is there twice was read twice.
"""

import collections
import json
import os
import subprocess
import sys
import time

from peer import HERE

ROWS = 500
KINDS = ("first", "late", "early", "tie", "late tie", "after")
INSERT = """
INSERT INTO late (kind, updated_at)
SELECT '{kind}', {stamp} FROM generate_series(1, {rows})
"""
# What is there at first is older than what a peer reads once more by default.
EARLIER = "now() - interval '1 day' + generate_series * interval '1 second'"


def insert(kind, stamp="now()", rows=ROWS):
    return INSERT.format(kind=kind, stamp=stamp, rows=rows)


def run(server, cases, sync):
    """The history, and `sync(peer, job)` for all cases at its points."""
    server.run("DROP TABLE IF EXISTS late")
    server.run(
        "CREATE TABLE late (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, "
        "updated_at timestamptz NOT NULL)"
    )
    server.run("CREATE INDEX ON late (updated_at)")
    server.run(insert("first", EARLIER, rows=10_000) + "; ANALYZE late")
    for case in cases:
        sync(case, "load")
    late, tied = server.session(), server.session()
    late.run("BEGIN; " + insert("late"))
    time.sleep(1.1)
    server.run(insert("early"))
    # The next second begins: both ties carry it.
    time.sleep(1.05 - time.time() % 1)
    second = f"to_timestamp({int(time.time())})"
    tied.run("BEGIN; " + insert("late tie", second))
    server.run(insert("tie", second))
    for case in cases:
        sync(case, "late")
    for session in (late, tied):
        session.run("COMMIT")
        session.close()
    server.run(insert("after"))
    for _ in range(2):
        for case in cases:
            sync(case, "late")


def account(server, case, folder):
    """What is lost and doubled of a case that has gone through it."""
    kinds = dict(line.split("|") for line in server.run("SELECT id, kind FROM late").splitlines())
    if case.schema:
        ids = server.run(f"SELECT id FROM {case.schema}.late").split()
    else:
        command = [sys.executable, os.path.join(HERE, "check.py"), os.path.join(folder, "data"), "--ids"]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        ids = [str(id) for id in json.loads(output)["ids"]]
    counts = collections.Counter(ids)
    lost = collections.Counter(kind for id, kind in kinds.items() if id not in counts)
    return {
        "rows": len(kinds),
        "lost": {kind: lost[kind] for kind in KINDS if lost[kind]},
        "doubled": sum(count - 1 for count in counts.values()),
    }
