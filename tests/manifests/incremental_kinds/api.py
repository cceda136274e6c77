"""Feeds in both orders; one whose second window fails in the first phase."""
from manifest_shapes import by_number

STAMPS = [f"2024-02-{day:02}T00:00:00Z" for day in range(1, 29, 3)]


def feed(request):
    items = [{"id": i, "modified": stamp} for i, stamp in enumerate(STAMPS)]
    if request.phase == 2:
        items += [{"id": 20, "modified": "2024-02-24T12:00:00Z"}, {"id": 21, "modified": "2024-03-03T00:00:00Z"}, {"id": 22, "modified": "2024-04-01T00:00:00Z"}]
    return items


@route("GET", "/ascending")
def ascending(request):
    return {"data": by_number(request, feed(request), size=2)}


@route("GET", "/descending")
def descending(request):
    return {"data": by_number(request, sorted(feed(request), key=lambda i: i["modified"], reverse=True), size=2)}


@route("GET", "/counted")
def counted(request):
    low = int(request.query.get("min_id", 0))
    return {"data": by_number(request, [i for i in feed(request) if i["id"] >= low], size=2)}


@route("GET", "/nested")
def nested(request):
    return {"data": [{"id": i["id"], "meta": {"modified": i["modified"]}} for i in feed(request)][-1:]}


@route("GET", "/broken")
def broken(request):
    since = request.query["since"]
    if since.startswith("2024-02-15") and request.phase == 1:
        return Answer({"error": "no"}, 403)
    return {"data": [i for i in feed(request) if since[:8] == i["modified"][:8] and 0 <= int(i["modified"][8:10]) - int(since[8:10]) < 5][:1]}


@route("POST", "/search")
def search(request):
    return {"data": by_number(request, feed(request)[5:8], size=2)}
