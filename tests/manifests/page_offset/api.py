"""Five rows by offset and limit, in parameters or in headers; six in the second phase."""
from manifest_shapes import rows


@route("GET", "/v2/rows/")
def listing(request):
    items = rows(5 if request.phase == 1 else 6)
    offset = int(request.headers.get("X-Offset") or request.query.get("offset") or request.query.get("start") or 0)
    limit = int(request.headers.get("X-Limit") or request.query.get("limit") or 2)
    return {"data": {"rows": items[offset:offset + limit]}}
