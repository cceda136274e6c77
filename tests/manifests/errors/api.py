"""Everything that goes wrong."""

ROWS = {"rows": [{"id": 1}, {"id": 2}]}


@route("GET", "/fine")
def fine(request):
    return ROWS


@route("GET", "/status/{code}")
def status(request, code):
    return Answer({"error": f"code {code}", **ROWS}, int(code), {"X-Reason": "conflict"})


@route("GET", "/flaky")
def flaky(request):
    number = request.times(("flaky", request.phase))
    return Answer(ROWS) if number >= 2 else Answer({"error": "try again"}, [500, 502][number])


@route("GET", "/limited")
def limited(request):
    if request.times(("limited", request.phase, request.headers.get("X-Id"))) == 0:
        return Answer("slow down", 429, {"Retry-After": 1, "X-Reset": 1709294401}, "text/plain")
    return ROWS


@route("GET", "/soft")
def soft(request):
    return {"status": "error", "message": "no such table", **ROWS}


@route("GET", "/later")
def later(request):
    return ROWS if request.times(("later", request.phase)) >= 1 else {"error": {"message": "We are still working on it"}}


@route("GET", "/composite")
def composite(request):
    number = request.times(("composite", request.phase))
    return [Answer({}, 429), Answer({}, 403), Answer({}, 503), Answer(ROWS)][min(number, 3)]


@route("GET", "/pages")
def pages(request):
    return ROWS if "page" not in request.query else Answer({"rows": []}, 400)
