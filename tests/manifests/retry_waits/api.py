"""Answers 429 or 503 first, with a wait in a header or in the body; logins that are refused."""

ROWS = {"rows": [{"id": 1}]}
WAITS = {
    "header": {"Retry-After": "2"}, "pattern": {"X-Wait": "wait 3 seconds"}, "until": {"X-Reset": "at 1709294403"},
    "date": {"Retry-After": "Fri, 01 Mar 2024 12:00:04 GMT"}, "none": {}, "long": {"Retry-After": "4000"},
}


@route("GET", "/wait/{kind}")
def wait(request, kind):
    if request.times((kind, request.phase)) == 0:
        return Answer({"error": "slow", "retry_in": 2}, 429, WAITS[kind])
    return ROWS


@route("GET", "/down")
def down(request):
    return ROWS if request.times(("down", request.phase)) == 3 else Answer("down", 503, type="text/html")


@route("POST", "/token")
def token(request):
    return Answer({"error": "invalid_grant"}, 400)


@route("GET", "/private")
def private(request):
    return ROWS


@route("GET", "/pooled")
def pooled(request):
    if request.times(("pooled", request.phase)) == 0:
        return Answer({"error": "limit"}, 429, {"Retry-After": "1"})
    return ROWS
