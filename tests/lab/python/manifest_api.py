"""The APIs that the manifests of tests/manifests read from: every case brings an `api.py` which says what is answered,
and this serves it, one port for each time it is opened, and keeps all requests.

    python manifest_api.py PORT        serves the orders below on PORT until it is stopped

Orders are requests to PORT: `POST /open?case=NAME` answers with the port of a new API in phase 1; `POST /phase?port=N`
goes on to its second phase, `GET /log?port=N` hands over and forgets its requests, `POST /close?port=N` ends it.

In an `api.py`, `@route("GET", "/items/{id}")` names a function of the request and of what stands in the braces. What it
returns is the answer: an object or list (JSON), text or bytes, or an `Answer` with status and headers.
"""

import base64
import dataclasses
import importlib.util
import json
import pathlib
import re
import socket
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CASES = pathlib.Path(__file__).resolve().parents[2] / "manifests"
# What every client says in its own way.
NOISE = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-length", "transfer-encoding"}


@dataclasses.dataclass
class Answer:
    body: object = b""
    status: int = 200
    headers: dict = dataclasses.field(default_factory=dict)
    type: str = "application/json"

    def content(self):
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Request:
    def __init__(self, api, method, target, headers, body):
        self.api, self.method, self.target, self.headers, self.body = api, method, target, headers, body
        split = urllib.parse.urlsplit(target)
        self.path = split.path
        self.pairs = urllib.parse.parse_qsl(split.query, keep_blank_values=True)
        self.query = dict(self.pairs)

    @property
    def phase(self):
        return self.api.phase

    @property
    def memory(self):
        """What the API remembers between requests."""
        return self.api.memory

    @property
    def base(self):
        return f"http://127.0.0.1:{self.api.port}"

    @property
    def json(self):
        return json.loads(self.body or b"null")

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    def all(self, name):
        return [value for key, value in self.pairs if key == name]

    def times(self, name):
        """How often this was asked for before, under `name`."""
        with self.api.lock:
            seen = self.memory.get(("times", name), 0)
            self.memory["times", name] = seen + 1
        return seen

    def record(self):
        headers = {k.lower(): v for k, v in self.headers.items() if k.lower() not in NOISE}
        kept = {"method": self.method, "path": self.path, "query": sorted(map(list, self.pairs)), "headers": headers}
        if self.body:
            kept["body"] = readable(self.body, headers.get("content-type", ""))
        return kept


def readable(body, kind):
    try:
        text = body.decode()
        if "form-urlencoded" in kind:
            return {"form": sorted(map(list, urllib.parse.parse_qsl(text, keep_blank_values=True)))}
        if "json" in kind:
            return {"json": json.loads(text)}
        return {"text": text}
    except ValueError:
        return {"base64": base64.b64encode(body).decode()}


class Api:
    def __init__(self, case):
        self.routes, self.phase, self.memory, self.log, self.lock = [], 1, {}, [], threading.Lock()
        self.load(case)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.api, self.port = self, self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def load(self, case):
        lines = importlib.util.spec_from_file_location(f"api_{case}", CASES / case / "api.py")
        module = importlib.util.module_from_spec(lines)
        module.Answer, module.route = Answer, self.route
        lines.loader.exec_module(module)

    def route(self, method, pattern):
        if pattern == "{*}":
            return lambda function: self.routes.append((method, re.compile(".*"), function))
        parts = re.split(r"(\{\w+\})", pattern)
        regex = "".join(f"(?P<{p[1:-1]}>[^/]+)" if p.startswith("{") else re.escape(p) for p in parts)

        def keep(function):
            self.routes.append((method, re.compile(regex), function))
            return function

        return keep

    def answer(self, request):
        for method, regex, function in self.routes:
            match = regex.fullmatch(request.path)
            if match and method == request.method:
                found = function(request, **{k: urllib.parse.unquote(v) for k, v in match.groupdict().items()})
                return found if isinstance(found, Answer) else Answer(found)
        return Answer({"error": f"no route for {request.method} {request.path}"}, 404)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self):
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def respond(self):
        api = self.server.api
        request = Request(api, self.command, self.path, self.headers, self.body())
        with api.lock:
            api.log.append(request.record())
        try:
            answer = api.answer(request)
        except Exception as error:  # What an API got wrong shows in the case that it is part of.
            answer = Answer({"error": f"{type(error).__name__}: {error}"}, 404)
        content = answer.content()
        self.send_response_only(answer.status)
        for name, value in {"Content-Type": answer.type, **answer.headers, "Content-Length": len(content)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = respond

    def log_message(self, *_):
        pass


class Orders:
    """What `Handler` asks instead of an API, on the port of orders."""

    def __init__(self):
        self.apis, self.log, self.lock = {}, [], threading.Lock()

    def answer(self, request):
        if request.path == "/open":
            api = Api(request.query["case"])
            self.apis[api.port] = api
            return Answer({"port": api.port})
        if request.path == "/":
            return Answer({})
        api = self.apis[int(request.query["port"])]
        if request.path == "/phase":
            api.phase = 2
        if request.path == "/log":
            with api.lock:
                log, api.log = api.log, []
            return Answer(log)
        if request.path == "/close":
            api.server.shutdown()
            api.server.server_close()
        return Answer({})


def serve(port):
    server = Server(("127.0.0.1", port), Handler)
    server.api = Orders()
    return server


if __name__ == "__main__":
    # What several APIs share stands beside this file.
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    serve(int(sys.argv[1])).serve_forever(poll_interval=0.05)
