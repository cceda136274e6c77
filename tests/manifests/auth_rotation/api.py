"""Tokens of which each has so many calls until a minute past noon; a pool of its own for one path; no count at all."""

NOON = 1709294400


@route("GET", "/quota")
def quota(request):
    return {
        "core": {"left": 3, "until": NOON + 60, "all": 5},
        "search": {"left": "1", "until": "2024-03-01T12:02:00Z", "all": 2},
    }


@route("GET", "/no_quota")
def no_quota(request):
    return Answer({"error": "not counted"}, 404)


@route("GET", "/broken_quota")
def broken_quota(request):
    return {"core": {"left": 3}}


def page(request, last):
    number = int(request.query.get("page", 1))
    return {"items": [{"id": number}], "more": number < last}


@route("GET", "/items")
def items(request):
    return page(request, 8)


@route("GET", "/search")
def search(request):
    return page(request, 3)


@route("GET", "/uncounted")
def uncounted(request):
    return page(request, 5)


@route("GET", "/headers")
def headers(request):
    # The first token is spent although its quota says otherwise.
    if request.headers["X-Token"] == "token tok-e1":
        return Answer({"error": "limit"}, 429, {"X-Left": "0", "X-Until": str(NOON + 600)})
    return Answer('{"items": [{"id": 1}], "more": false}', 200, {"X-Left": "2", "X-All": "5", "X-Until": str(NOON + 60)})


@route("GET", "/few")
def few(request):
    return page(request, 3)
