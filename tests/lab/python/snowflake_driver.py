"""An official driver of Snowflake at work: login, encrypted PUT, COPY, SELECT. Prints the rows as JSON.

usage: snowflake_driver.py connector|adbc ACCOUNT

ACCOUNT is JSON: host, port, account, user, password, private_key, role, warehouse, database, schema. The
connector logs in with the key and asks for JSON, the other with the password and for Arrow. SSL_CERT_FILE and REQUESTS_CA_BUNDLE name the
certificates that are trusted.
"""

import datetime
import json
import socket
import sys
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet

STAGE = '"Load Stage"'
FORMAT = "FILE_FORMAT = (TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE)"


def statements(file):
    yield "ALTER SESSION SET TIMEZONE = 'UTC'"
    yield (
        'CREATE OR REPLACE TABLE orders (id NUMBER(38,0) NOT NULL, "name" VARCHAR, at TIMESTAMP_NTZ, '
        "paid NUMBER(12,2), ok BOOLEAN)"
    )
    yield f"CREATE OR REPLACE STAGE {STAGE}"
    yield f"PUT 'file://{file}' '@{STAGE}/orders/7' AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
    yield (
        f"COPY INTO orders FROM '@{STAGE}/orders/7/' FILES = ('{file.name}') {FORMAT} "
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
    )
    yield 'SELECT id, "name", at, paid, ok FROM orders ORDER BY id'


def write(file):
    columns = {
        "ID": pyarrow.array([1, 2], pyarrow.int64()),
        "name": pyarrow.array(["Ann", None]),
        "AT": pyarrow.array([datetime.datetime(2020, 1, 2, 3, 4, 5, 678901), None], pyarrow.timestamp("us")),
        "PAID": pyarrow.array([12.34, None]).cast(pyarrow.decimal128(12, 2)),
        "OK": pyarrow.array([True, False]),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file, compression="zstd")


def connector(account):
    """Runs statements with snowflake-connector-python."""
    import snowflake.connector
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    # It names the bucket in the host, even where the rest is an address.
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: resolve(
        "127.0.0.1" if isinstance(host, str) and host.endswith(".127.0.0.1") else host, *rest, **more
    )
    key = load_pem_private_key(account["private_key"].encode(), None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    place = {
        name: account[name]
        for name in ("host", "port", "account", "user", "role", "warehouse", "database", "schema")
    }
    connection = snowflake.connector.connect(
        protocol="https",
        authenticator="SNOWFLAKE_JWT",
        private_key=der,
        login_timeout=120,
        network_timeout=120,
        disable_ocsp_checks=True,
        session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON"},
        **place,
    )

    def run(statement):
        cursor = connection.cursor()
        rows = cursor.execute(statement).fetchall()
        names = [column.name for column in cursor.description]
        return names, rows

    return run


def adbc(account):
    """Runs statements with the driver in Go, through ADBC."""
    import adbc_driver_snowflake.dbapi

    options = {
        "username": account["user"],
        "password": account["password"],
        **{
            f"adbc.snowflake.sql.{name}": value
            for name, value in {
                "account": account["account"],
                "uri.host": account["host"],
                "uri.port": str(account["port"]),
                "uri.protocol": "https",
                "db": account["database"],
                "schema": account["schema"],
                "warehouse": account["warehouse"],
                "role": account["role"],
                "client_option.login_timeout": "120s",
                "client_option.request_timeout": "120s",
                # Of certificates, only lists of revoked ones are not asked for.
                "client_option.tls_skip_verify": "true",
            }.items()
        },
    }
    connection = adbc_driver_snowflake.dbapi.connect(db_kwargs=options, autocommit=True)

    def run(statement):
        with connection.cursor() as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
            return [column[0] for column in cursor.description or []], rows

    return run


def main():
    driver, account = {"connector": connector, "adbc": adbc}[sys.argv[1]], json.loads(sys.argv[2])
    run = driver(account)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part 1.parquet"
        write(file)
        for statement in statements(file):
            names, rows = run(statement)
            if statement.startswith("PUT"):
                put = [dict(zip(names, row, strict=True)) for row in rows]
            if statement.startswith("COPY"):
                copied = [dict(zip(names, row, strict=True)) for row in rows]
        _, many = run("SELECT seq4() FROM TABLE(GENERATOR(ROWCOUNT => 2000))")
        misread = ""
        try:
            run(
                f"COPY INTO orders FROM '@{STAGE}/orders/7/' FILE_FORMAT = (TYPE = PARQUET) "
                "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE"
            )
        except Exception as error:  # noqa: BLE001 - each driver has its own
            misread = str(error)
    json.dump(
        {
            "put": put,
            "misread": misread,
            "many": len(many),
            "copied": copied,
            "rows": [[None if value is None else str(value) for value in row] for row in rows],
        },
        sys.stdout,
        default=str,
    )


main()
