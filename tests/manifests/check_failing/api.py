"""One door is closed."""


@route("GET", "/secret")
def secret(request):
    return Answer({"message": "wrong token t0p"}, 401)


@route("GET", "/open")
def opened(request):
    return [{"id": 1}]
