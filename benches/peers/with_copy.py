"""The bound: rows leave PostgreSQL as COPY in its binary form, into nothing, over one connection or two."""

import subprocess

from peer import Peer
from server import psql


def one(url, table, folder, job):
    return [*psql(url), "-o", "/dev/null", "-c", f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"]


def two(url, table, folder, job):
    half = f"SELECT relpages / 2 FROM pg_class WHERE oid = '{table}'::regclass"
    half = subprocess.run([*psql(url), "-c", half], check=True, capture_output=True, text=True).stdout.strip()
    parts = [f"ctid < '({half},0)'", f"ctid >= '({half},0)'"]
    statements = [f"COPY (SELECT * FROM {table} WHERE {part}) TO STDOUT (FORMAT binary)" for part in parts]
    both = 'a=$1 b=$2; shift 2; "$@" -c "$a" & "$@" -c "$b" && wait $!'
    return ["sh", "-c", both, "sh", *statements, *psql(url), "-o", "/dev/null"]


PEERS = [
    Peer("COPY, 1 connection", "`COPY (SELECT * FROM …) TO STDOUT (FORMAT binary)` by psql into `/dev/null`", ("load",), one),
    Peer("COPY, 2 connections", "the same twice, half of the pages each", ("load",), two),
]
