"""The next page by its URL: in the Link header, in the body, as a path."""
from manifest_shapes import rows


def part(request):
    page = int(request.query.get("page", 1))
    return rows(5)[2 * page - 2:2 * page], page + 1 if page < 3 else None


@route("GET", "/api/linked")
def linked(request):
    items, more = part(request)
    link = f'<{request.base}/api/linked?per_page=2&page=1>; rel="first"'
    if more:
        link = f'<{request.base}/api/linked?per_page=2&page={more}&x=a%20b>; rel="next", ' + link
    return Answer(items, headers={"Link": link})


@route("GET", "/api/chained")
def chained(request):
    items, more = part(request)
    return {"results": items, "next": f"{request.base}/api/chained?page={more}&per_page=2&tag=a&tag=b" if more else None}


@route("GET", "/relative")
@route("GET", "/api/relative")
def relative(request):
    items, more = part(request)
    return {"results": items, "next": f"/relative?page={more}" if more else ""}
