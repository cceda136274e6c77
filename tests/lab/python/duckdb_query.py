"""Runs SQL in DuckDB and prints the rows of the last statement: [[text or null]].

usage: duckdb_query.py SQL [--s3 ENDPOINT KEY SECRET]

With --s3, `s3://bucket/...` in the SQL stands for the objects of that server.
"""

import argparse
import json
import sys

import duckdb

from remote import Bucket


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sql")
    parser.add_argument("--s3", nargs=3)
    arguments = parser.parse_args()
    bucket = Bucket(*arguments.s3) if arguments.s3 else None
    sql = bucket.localise(arguments.sql) if bucket else arguments.sql
    session = duckdb.connect()
    session.execute("SET TimeZone = 'UTC'")
    *before, last = session.extract_statements(sql)
    for statement in before:
        session.execute(statement)
    texts = session.sql(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({last.query.strip().rstrip(';')})")
    json.dump([list(row) for row in texts.fetchall()], sys.stdout)


main()
