"""Runs statements in the account that the variables TIDEGATE_SNOWFLAKE_* name, by the official driver.

usage: snowflake_query.py STATEMENT ...

Prints the rows of the last one, each value as text, as JSON. Logs in by TIDEGATE_SNOWFLAKE_PRIVATE_KEY_FILE,
_ACCESS_TOKEN or _PASSWORD. The session's zone is UTC, and instants are shown with their offset.
"""

import json
import os
import sys

import snowflake.connector

_FORMATS = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6 TZHTZM",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
    "TIME_OUTPUT_FORMAT": "HH24:MI:SS.FF6",
}


def setting(name):
    return os.environ.get(f"TIDEGATE_SNOWFLAKE_{name.upper()}")


def connected():
    settings = {
        name: setting(name) for name in ("account", "user", "role", "warehouse", "database", "host", "protocol")
    }
    settings = {name: value for name, value in settings.items() if value}
    if setting("port"):
        settings["port"] = int(setting("port"))
    if file := setting("private_key_file"):
        settings |= {"private_key_file": file, "authenticator": "SNOWFLAKE_JWT"}
    elif token := setting("access_token"):
        settings |= {"token": token, "authenticator": "PROGRAMMATIC_ACCESS_TOKEN"}
    else:
        settings["password"] = setting("password")
    return snowflake.connector.connect(**settings, session_parameters=_FORMATS)


def main():
    with connected() as connection, connection.cursor() as cursor:
        for statement in sys.argv[1:]:
            cursor.execute(statement)
        rows = cursor.fetchall()
    print(json.dumps([[None if value is None else str(value) for value in row] for row in rows]))


if __name__ == "__main__":
    main()
