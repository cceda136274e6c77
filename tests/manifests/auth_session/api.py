"""Sessions by sign-in."""


@route("POST", "/login")
def login(request):
    return {"id": "session-9", "data": {"session": "session-7"}}


@route("GET", "/valid")
def valid(request):
    return {"ok": True}


@route("GET", "/things/{name}")
def things(request, name):
    return [{"id": 1, "name": name}, {"id": 2}]
