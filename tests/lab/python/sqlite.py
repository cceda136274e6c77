"""Runs statements on an SQLite file, which is made where it is not there: sqlite.py FILE SQL."""

import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], timeout=30)
connection.executescript(sys.argv[2])
connection.commit()
print("null")
