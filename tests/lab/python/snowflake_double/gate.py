"""The stages' S3 endpoint: takes the credentials that were lent, and passes on to the S3 server.

It checks signature, token, expiry and place of each request as S3 does, then signs it anew with the key
of the server behind.
"""

import http.client
import re
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from refusal import Hangup, Status

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request,\s*SignedHeaders=([^,]+),\s*Signature=(\w+)"
)
_HOP = {
    "connection",
    "host",
    "authorization",
    "x-amz-security-token",
    "expect",
    "transfer-encoding",
    "content-length",
}
_connections = threading.local()


class Gate(BaseHTTPRequestHandler):
    """One connection of a client; the class's `store` is set by who starts it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    store = None
    # What goes wrong on purpose, called with method and path.
    strike = None

    def log_message(self, *_):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.strike(f"{self.command} {self._path()[0]}")
        except Status as status:
            return self._answer(status.status, status.headers, b"")
        except Hangup:
            self.close_connection = True
            return None
        if refused := self._refusal():
            status, code, message = refused
            error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
            return self._answer(status, {"Content-Type": "application/xml"}, text.encode())
        status, headers, content = self._pass_on(body)
        return self._answer(status, headers, content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _path(self):
        """The path with the bucket in it, whichever way the client named the bucket."""
        parts = urlsplit(self.path)
        bucket = self.headers["Host"].split(":")[0].removesuffix("127.0.0.1").rstrip(".")
        path = f"/{bucket}{parts.path}" if bucket else parts.path
        return path, parts.query

    def _refusal(self):
        match = _AUTHORIZATION.match(self.headers.get("Authorization") or "")
        if not match:
            return 403, "AccessDenied", "Access Denied"
        key, day, region, signed, signature = match.groups()
        loan = self.store.loan(key)
        if loan is None:
            return (
                403,
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            )
        if self.headers.get("x-amz-security-token") != loan["token"]:
            return 400, "InvalidToken", "The provided token is malformed or otherwise invalid."
        if loan["until"] < time.monotonic():
            return 400, "ExpiredToken", "The provided token has expired."
        if self._signature(loan, day, region, signed.split(";")) != signature:
            return 403, "SignatureDoesNotMatch", "The request signature we calculated does not match."
        path = unquote(self._path()[0]).lstrip("/")
        changes = self.command in ("PUT", "POST", "DELETE")
        if not path.startswith(f"{loan['bucket']}/{loan['prefix']}") or (
            changes and loan["access"] != "write"
        ):
            return 403, "AccessDenied", "Access Denied"
        return None

    def _signature(self, loan, day, region, signed):
        """The signature the request should have."""
        signer = S3SigV4Auth(Credentials(loan["access_key"], loan["secret_key"]), "s3", region)
        headers = {name: self.headers[name] for name in signed if self.headers[name] is not None}
        parts = urlsplit(self.path)
        payload = self.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        query = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True))
        )
        canonical = "\n".join(
            [
                self.command,
                quote(unquote(parts.path), safe="/-_.~"),
                query,
                *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
                "",
                ";".join(signed),
                payload,
            ]
        )
        request = AWSRequest(method=self.command, url="http://stage")
        request.context["timestamp"] = self.headers.get("x-amz-date", "")
        scope = f"{day}/{region}/s3/aws4_request"
        signer.scope = lambda _request: scope
        signer.credential_scope = lambda _request: scope
        return signer.signature(signer.string_to_sign(request, canonical), request)

    def _pass_on(self, body):
        path, query = self._path()
        place = urlsplit(self.store.endpoint)
        url = f"{self.store.endpoint}{path}" + (f"?{query}" if query else "")
        kept = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in _HOP and not name.lower().startswith(("x-amz-date", "x-amz-content"))
        }
        request = AWSRequest(method=self.command, url=url, headers=kept, data=body)
        request.headers["Host"] = place.netloc
        signer = _PlainAuth(Credentials(*self.store.keys), "s3", self.store.region)
        signer.add_auth(request)
        for turn in (1, 2):
            connection = getattr(_connections, "server", None)
            if connection is None:
                connection = _connections.server = http.client.HTTPConnection(place.netloc, timeout=60)
            try:
                target = path + (f"?{query}" if query else "")
                connection.request(self.command, target, body, dict(request.headers.items()))
                answer = connection.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            except (http.client.HTTPException, OSError):
                connection.close()
                _connections.server = None
                if turn == 2:
                    raise
        raise AssertionError("both turns return or raise")

    def _answer(self, status, headers, content):
        self.send_response(status)
        length = headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()


class _PlainAuth(SigV4Auth):
    """Signs the head of a request only: the body has come over a checked connection."""

    def payload(self, _request):
        return "UNSIGNED-PAYLOAD"

    def _modify_request_before_signing(self, request):
        super()._modify_request_before_signing(request)
        request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"

    def _normalize_url_path(self, path):
        return path
