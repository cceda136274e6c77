"""A stand-in for Snowflake, for tests: fakesnow for the SQL, and around it what fakesnow lacks.

usage: python tests/lab/python/snowflake_double SETTINGS

SETTINGS is a file of JSON: `port` of the service, `stage_port` of the stages' S3 endpoint, `control_port`
for the tests' orders, `s3` with `endpoint`, `region`, `access_key`, `secret_key` and `bucket` of the S3
server that keeps what is staged, and `certificate` and `key` files where the first two shall speak TLS.
"""

import json
import ssl
import sys
import tempfile
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

# Before all other imports: what fakesnow makes when it is imported goes with the server, too.
tempfile.tempdir = str(Path(sys.argv[1]).absolute().parent)

from account import Account, key_pair
from door import Door
from gate import Gate
from store import Store
from world import World


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, _request, _address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(_request, _address)


def strike_stage(request):
    """The faults of the account whose stage a request is for: `PUT /bucket/ACCOUNT/…`."""
    folders = request.split("/")
    account = Door.world.accounts.get(folders[2]) if len(folders) > 2 else None
    if account:
        account.faults.strike("stage", request)


def main():
    settings = json.loads(Path(sys.argv[1]).read_text())
    store = Store(**settings["s3"])
    tls = None
    if settings.get("certificate"):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(settings["certificate"], settings["key"])
    # Drivers take a bare name for https.
    endpoint = f"{'' if tls else 'http://'}127.0.0.1:{settings['stage_port']}"
    Gate.store = store
    Door.scheme = "https" if tls else "http"
    Door.world = World(lambda: Account(store, endpoint))
    Gate.strike = staticmethod(strike_stage)
    key_pair()
    for name, handler in (("stage_port", Gate), ("port", Door), ("control_port", Door)):
        server = Server(("127.0.0.1", settings[name]), handler)
        if tls and name != "control_port":
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


main()
