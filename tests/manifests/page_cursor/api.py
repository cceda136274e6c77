"""Cursors in bodies, in headers, as the last key, and as texts that look like numbers."""
from manifest_shapes import by_cursor, rows


@route("GET", "/cursors")
def cursors(request):
    items, after = by_cursor(request, rows(5), size=2, name="after")
    return {"items": items, "paging": {"next": {"after": after}, "more": True} if after else {"more": False}}


@route("GET", "/keyset")
def keyset(request):
    after = int(request.query.get("after", 0))
    return {"items": [{"id": i} for i in (1, 2, 3, 4, 5, 6, 7) if i > after][:2]}


TOKENS = ["", "007", "1.10", "1e2", "'quoted'", "[1, 2]", "True", "0x10", "last"]


@route("GET", "/texts")
def texts(request):
    # Whatever the client makes of a token, the next request gets the next one.
    number = request.times("texts")
    return {"items": [{"id": f"{number}: {request.query.get('after')}"}], "next": TOKENS[number + 1] if number < 8 else None}


@route("GET", "/totals")
def totals(request):
    page = int(request.query.get("after", 1))
    return {"items": [{"id": page}], "page": page, "total": 7, "per": 3}


@route("GET", "/headers")
def headers(request):
    items, after = by_cursor(request, rows(4), size=2, name="after")
    return Answer({"items": items}, headers={"X-Next": after} if after else {})


@route("GET", "/array")
def array(request):
    start = int(request.query.get("after", 1))
    return [i for i in rows(6) if i["id"] >= start][:2]
