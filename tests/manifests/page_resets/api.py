"""Pages that get too deep (400), pages that are too big (413), windows that are too long (422)."""
from manifest_shapes import between, by_number

DAYS = [{"id": day, "day": f"2024-02-{day:02}"} for day in range(1, 13)]


@route("GET", "/deep")
def deep(request):
    items = between(DAYS, "day", request.query.get("since"))
    if int(request.query.get("page", 1)) > 2 and "since" in request.query:
        return Answer({"error": "too deep"}, 400)
    return {"data": by_number(request, items, size=3)}


@route("GET", "/big")
def big(request):
    size, start = int(request.query["limit"]), int(request.query.get("offset", 0))
    if size > 3 and start >= 8 or size > 5:
        return Answer({"error": "too big"}, 413)
    return {"data": DAYS[start:start + size]}


@route("GET", "/long")
def long(request):
    low, high = request.query["since"], request.query["until"]
    items = between(DAYS, "day", low, high)
    if len(items) > 4:
        return Answer({"error": "too long"}, 422)
    return {"data": items}
