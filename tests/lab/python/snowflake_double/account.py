"""One account: its users, databases, stages and sessions, and the troubles a test has ordered for it.

Each test has an account of its own, so that tests that run at once don't see each other.
"""

import secrets
import threading
import time

from copy_into import Loads
from declared import Declared
from engine import Engine
from fault import Faults, Log
from grants import Grants
from login import KeyPair, User
from names import Names
from refusal import Refusal
from session import HOUR, Session
from stage import Stages
from stage_commands import names
from transaction import Tables

MASTER_VALIDITY = 4 * HOUR
_key = threading.Lock(), []


class Account:
    def __init__(self, store, endpoint, engine=None):
        # As the locators of old accounts are.
        self.name = "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(2)) + str(
            secrets.randbelow(90000) + 10000
        )
        self.endpoint = endpoint
        self.engine = engine or Engine()
        self.database, self.schema, self.role, self.warehouse = "RAW", "PUBLIC", "LOADER", "LOADING"
        self.user = User("TIDEGATE", key_pair())
        self.users = {self.user.name: self.user}
        self.grants = Grants(self.role, self.warehouse)
        self.faults, self.log, self.tables, self.loads = Faults(), Log(), Tables(), Loads()
        self.stages = Stages(store, store.bucket, f"{self.name}/")
        self.names = Names(self.engine.connect()._duck_conn)
        self.declared = Declared()
        self.transactions = {}
        self.validity = HOUR
        # Rows that an answer holds itself.
        self.rows_inline = 500
        # How long an answer is waited for until the client is told to ask again.
        self.patience = 45
        self.sessions, self._masters, self._lock = {}, {}, threading.Lock()
        self.is_awake = False
        self._store = store
        self.engine.create_database(self.database)
        self.admin = Session(self, self.user, {"TIMEZONE": "UTC"})
        self.admin.warehouse, self.admin.role = "ADMIN", "ACCOUNTADMIN"
        self.admin.connection.cursor().execute(f"CREATE SCHEMA IF NOT EXISTS {self.database}.{self.schema}")
        self.admin.use(self.database, self.schema)

    def describe(self):
        """All a test has to know."""
        return {
            "account": self.name,
            "database": self.database,
            "schema": self.schema,
            "role": self.role,
            "warehouse": self.warehouse,
            **self.user.credentials(),
        }

    def databases(self):
        duck = self.engine.connect()._duck_conn
        return duck.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()

    def login(self, data, place):
        """A new session for who proves to be a user."""
        user = self.users.get((data.get("LOGIN_NAME") or "").upper())
        if user is None:
            raise Refusal(390100, "Incorrect username or password was specified.", "08001")
        user.check(self.name, data)
        session = Session(self, user, data.get("SESSION_PARAMETERS") or {}, self.validity)
        role = names(place["roleName"])[0] if place.get("roleName") else self.role
        if role not in self.grants.roles:
            raise Refusal(
                390189,
                f"Role '{role}' specified in the connect string is not granted to this user. "
                "Contact your local system administrator, or attempt to login with another role.",
                "08004",
            )
        session.role = role
        warehouse = names(place["warehouse"])[0] if place.get("warehouse") else None
        session.warehouse = warehouse if self.grants.has_warehouse(warehouse) else None
        if place.get("databaseName") and not self.grants.is_denied("USAGE ON DATABASE"):
            schema = names(place["schemaName"])[0] if place.get("schemaName") else self.schema
            session.use(names(place["databaseName"])[0], schema)
        session.wants_arrow = wants_arrow(data)
        with self._lock:
            self.sessions[session.token] = session
            self._masters[session.master] = session
        return session

    def session_of(self, token):
        """The session of a token that is still good."""
        with self._lock:
            session = self.sessions.get(token)
        if session is None:
            raise Refusal(390104, "User must login again to access the service.", "08001")
        if session.expires < time.monotonic():
            raise Refusal(390112, "Your session has expired. Please login again.", "08001")
        return session

    def renew(self, session):
        with self._lock:
            self.sessions.pop(session.token, None)
            self._masters.pop(session.master, None)
            session.renew()
            self.sessions[session.token] = session
            self._masters[session.master] = session

    def of_master(self, token):
        with self._lock:
            return self._masters.get(token)

    def end(self, session):
        """Ends a session; its transaction is taken back."""
        with self._lock:
            self.sessions.pop(session.token, None)
            self._masters.pop(session.master, None)
        session.close()

    def end_session(self, number):
        found = [session for session in list(self.sessions.values()) if session.id == number]
        for session in found:
            self.end(session)
        return bool(found)

    def lend(self, stage, access):
        fault = self.faults.take("query", stage.name[-1], {"credentials"})
        seconds = fault["seconds"] if fault else HOUR
        return self._store.lend(stage.bucket, stage.prefix, access, seconds)


def key_pair():
    """The key of all users: making one takes a while."""
    lock, made = _key
    with lock:
        if not made:
            made.append(KeyPair())
        return made[0]


def wants_arrow(data):
    """Official drivers get Arrow unless they ask for JSON; others get JSON."""
    parameters = {
        key.upper(): str(value).upper() for key, value in (data.get("SESSION_PARAMETERS") or {}).items()
    }
    prefix = {"PythonConnector": "PYTHON_CONNECTOR", "Go": "GO"}.get(data.get("CLIENT_APP_ID"))
    return prefix is not None and parameters.get(f"{prefix}_QUERY_RESULT_FORMAT") != "JSON"
