"""The service's HTTP side: logins, tokens, statements and their answers."""

import gzip
import json
import secrets
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from fakesnow.converter import from_binding

import control
from account import MASTER_VALIDITY
from login import account_name
from refusal import Hangup, Refusal, Status
from statement import Statement
from world import Query

# How long a request for an answer that is not there yet is held.
POLL = 0.2
ASYNC = 333334
RUNNING = 333333
_FORGOTTEN = "Authentication token has expired.  The user must authenticate again."


class Door(BaseHTTPRequestHandler):
    """One connection of a client; the class's `world` is set by who starts it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    world = None
    scheme = "http"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._serve()

    def do_POST(self):
        self._serve()

    def _serve(self):
        parts = urlsplit(self.path)
        self.asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        try:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.body = json.loads(body) if body.strip() else {}
            if parts.path.startswith("/results/"):
                self._send_packed(self.world.chunks.fetch(parts.path.split("/")[2], self.headers))
            else:
                self._send(200, self._route(parts.path))
        except Refusal as refusal:
            self._send(refusal.status, failure(refusal))
        except Status as status:
            self._send(status.status, None, status.headers)
        except Hangup:
            self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path):
        if path.startswith("/lab/"):
            return control.answer(self.world, path.removeprefix("/lab/"), self.body)
        if path == "/session/v1/login-request":
            return self._login()
        if path == "/queries/v1/query-request":
            return self._query()
        if path == "/queries/v1/abort-request":
            return self._abort()
        if path == "/session/token-request":
            return self._renew()
        if path == "/session/heartbeat":
            self._session()
            return success(None)
        if path == "/session":
            session = self._session()
            session.account.end(session)
            return success(None)
        if path.startswith("/queries/") and path.endswith("/result"):
            return self._result(path.split("/")[2])
        if path.startswith("/monitoring/queries/"):
            return self._monitoring(path.split("/")[3])
        if path.startswith("/telemetry"):
            return success(None)
        raise Status(404)

    def _token(self):
        text = self.headers.get("Authorization") or ""
        if not text.startswith('Snowflake Token="'):
            raise Refusal(390103, "Session token not found in the request data.", "08001")
        return text[len('Snowflake Token="') : -1]

    def _session(self, on=None, text=""):
        """The session of the request, unless a fault ends it or its token here and now."""
        session = self.world.session_of(self._token())
        faults = session.account.faults
        if on and faults.take(on, text, {"expire"}):
            session.expires = 0
            raise Refusal(390112, "Your session has expired. Please login again.", "08001")
        if on and (fault := faults.take(on, text, {"forget"})):
            session.account.end(session)
            raise Refusal(fault["code"], _FORGOTTEN, "08001")
        return session

    def _login(self):
        data = self.body.get("data") or {}
        account = self.world.accounts.get(account_name(data.get("ACCOUNT_NAME")))
        if account is None:
            raise Status(404)
        account.faults.strike("login", self.path)
        session = account.login(data, self.asked)
        account.log.add(
            kind="login",
            session=session.id,
            authenticator=data.get("AUTHENTICATOR") or "SNOWFLAKE",
            parameters=data.get("SESSION_PARAMETERS") or {},
            application=data.get("CLIENT_APP_ID"),
        )
        return success(
            {
                "token": session.token,
                "masterToken": session.master,
                "validityInSeconds": int(account.validity),
                "masterValidityInSeconds": MASTER_VALIDITY,
                "displayUserName": session.user.name,
                "serverVersion": "9.99.0",
                "firstLogin": False,
                "sessionId": session.id,
                "parameters": parameters(session),
                "sessionInfo": {
                    "databaseName": session.connection.database,
                    "schemaName": session.connection._schema,
                    "warehouseName": session.warehouse,
                    "roleName": session.role,
                },
            }
        )

    def _renew(self):
        token = self._token()
        for account in list(self.world.accounts.values()):
            if session := account.of_master(token):
                break
        else:
            raise Refusal(390114, _FORGOTTEN, "08001")
        account.faults.strike("renew", self.path)
        if fault := account.faults.take("renew", self.path, {"forget"}):
            account.end(session)
            raise Refusal(fault["code"], _FORGOTTEN, "08001")
        if self.body.get("oldSessionToken") != session.token:
            raise Refusal(390113, "The session token is not the one the master token belongs to.", "08001")
        account.renew(session)
        account.log.add(kind="renew", session=session.id)
        return success(
            {
                "sessionToken": session.token,
                "validityInSecondsST": int(session.validity),
                "masterToken": session.master,
                "validityInSecondsMT": MASTER_VALIDITY,
                "sessionId": session.id,
            }
        )

    def _query(self):
        text = self.body.get("sqlText") or ""
        session = self._session("query", text)
        account = session.account
        request = self.asked.get("requestId") or secrets.token_hex(16)
        is_first = False
        with self.world.lock:
            query = self.world.requests.get((account.name, request))
            if query is None:
                is_first = True
        if is_first:
            account.faults.strike("query", text)
            query = self._begin(session, account, request, text)
        if not query.done.wait(account.patience):
            return self._later(query, RUNNING)
        if account.faults.take("query", text, {"hangup"}, moment="after"):
            raise Hangup
        if fault := account.faults.take("query", text, {"polls"}):
            query.empty_polls = fault["polls"]
            return self._later(query, ASYNC)
        if account.faults.take("query", text, {"truncate"}):
            self._send_half(query.answer)
            raise Hangup
        return query.answer

    def _begin(self, session, account, request, text):
        """Runs a statement whose request came for the first time."""
        statement = Statement(text, bound(self.body.get("bindings") or {}))
        query = Query(session, statement)
        with self.world.lock:
            known = self.world.requests.setdefault((account.name, request), query)
            if known is not query:
                return known
            self.world.queries[statement.query_id] = query
        entry = account.log.add(
            kind="query",
            sql=text,
            request=request,
            query=statement.query_id,
            session=session.id,
            warehouse=statement.needs_warehouse(),
            bindings=self.body.get("bindings"),
            tag=(self.body.get("parameters") or {}).get("QUERY_TAG", session.parameters["QUERY_TAG"]),
        )
        fault = account.faults.take("query", text, {"delay"})
        threading.Thread(
            target=self._run, args=(query, account, entry, fault["seconds"] if fault else 0)
        ).start()
        return query

    def _run(self, query, account, entry, delay):
        session, statement = query.session, query.statement
        try:
            origin = f"{self.scheme}://{self.headers['Host']}"
            query.answer = run(
                session,
                statement,
                delay,
                lambda data: self.world.chunks.split(data, account.rows_inline, origin),
            )
        except Refusal as refusal:
            query.answer = failure(refusal, statement.query_id)
        except Exception as error:  # noqa: BLE001 - a fault of the stand-in is told as one
            traceback.print_exc()
            message = f"the stand-in failed: {error!r} in {statement.text[:300]}"
            query.answer = failure(Refusal(370001, message, "XX000"), statement.query_id)
        finally:
            entry["outcome"] = query.answer and query.answer["code"] or "ok"
            if entry["warehouse"] and query.answer and query.answer["success"]:
                account.is_awake = True
            query.done.set()

    def _later(self, query, code):
        number = query.statement.query_id
        return {
            "data": {
                "queryId": number,
                "getResultUrl": f"/queries/{number}/result",
                "progressDesc": None,
                "queryAbortsAfterSecs": 300,
            },
            "code": str(code),
            "success": True,
            "message": "Query execution in progress.",
        }

    def _result(self, number):
        query = self.world.queries.get(number)
        text = query.statement.text if query else ""
        session = self._session("poll", text)
        if query is None:
            raise Refusal(612, f"Result for query {number} has expired.", "02000")
        session.account.faults.strike("poll", text)
        if not query.done.wait(POLL) or query.empty_polls > 0:
            query.empty_polls -= 1
            time.sleep(0.01)
            return self._later(query, RUNNING)
        return query.answer

    def _monitoring(self, number):
        self._session()
        query = self.world.queries.get(number)
        if query is None:
            return success({"queries": []})
        if not query.done.is_set():
            status = "RUNNING"
        else:
            status = "SUCCESS" if query.answer["success"] else "FAILED_WITH_ERROR"
        return success(
            {
                "queries": [
                    {
                        "id": number,
                        "status": status,
                        "sqlText": query.statement.text,
                        "errorCode": query.answer and query.answer["code"],
                    }
                ]
            }
        )

    def _abort(self):
        session = self._session()
        query = self.world.requests.get((session.account.name, self.body.get("requestId")))
        session.account.log.add(kind="abort", request=self.body.get("requestId"), session=session.id)
        if query is None or query.done.is_set():
            raise Refusal(605, "Identified SQL statement is not currently executing.", "57014")
        query.session.give_up()
        return success(None)

    def _send_half(self, answer):
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()

    def _send_packed(self, content):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def _send(self, status, answer, headers=()):
        content = b"" if answer is None else json.dumps(answer).encode()
        is_large = len(content) > 1000 and "gzip" in (self.headers.get("Accept-Encoding") or "")
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if is_large:
            content = gzip.compress(content, 1)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def run(session, statement, delay, split):
    result = session.execute(statement, delay)
    data = result.answer(session.wants_arrow and statement.is_query())
    data = split(data) if "rowset" in data else data
    return success(
        {
            "parameters": parameters(session),
            **data,
            "queryId": statement.query_id,
            "finalDatabaseName": session.connection.database,
            "finalSchemaName": session.connection._schema,
            "finalWarehouseName": session.warehouse,
            "finalRoleName": session.role,
            "numberOfBinds": 0,
            "arrayBindSupported": False,
            "version": 1,
            "sqlState": "00000",
        }
    )


def parameters(session):
    """The session's parameters: truth values and numbers are such in answers."""
    truths = {"true": True, "false": False}
    return [
        {"name": name, "value": int(value) if value.isdecimal() else truths.get(value, value)}
        for name, value in session.parameters.items()
    ]


def bound(bindings):
    """The values of `?`, in order."""
    values = []
    for number in range(1, len(bindings) + 1):
        binding = bindings[str(number)]
        if binding["value"] is None:
            values.append(None)
        elif binding["type"] == "REAL":
            values.append(float(binding["value"]))
        else:
            values.append(from_binding(binding))
    return values


def success(data):
    return {"data": data, "code": None, "message": None, "success": True}


def failure(refusal, query_id=None):
    data = {
        "errorCode": refusal.code,
        "sqlState": refusal.state,
        "queryId": query_id,
        "internalError": False,
        "line": -1,
        "pos": -1,
        "type": "COMPILATION",
    }
    return {"data": data, "code": refusal.code, "message": refusal.message, "success": False}
