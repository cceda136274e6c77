"""Servers that refuse everything and tell what they were sent: nothing of it may be said on."""


def told(request):
    """All that was sent, as a server might quote it."""
    return {"error": {"message": f"refused: {request.target} {dict(request.headers)} {request.body.decode(errors='replace')}"}}


@route("GET", "/fine")
def fine(request):
    return [{"id": 1}]


@route("GET", "/login/fine")
@route("POST", "/login/fine")
def login(request):
    return {"session": "session-of-the-server"}


@route("GET", "/garbled")
def garbled(request):
    return Answer(f"{told(request)} is no JSON", type="application/json")


@route("GET", "/status/{code}")
@route("POST", "/status/{code}")
def status(request, code):
    return Answer(told(request), int(code))
