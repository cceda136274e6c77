"""A root array by pages from 0; the third page is short and is not the last."""
from manifest_shapes import rows

PAGES = [rows(4), [{"id": 5}, {"id": 6}, {"id": 7}, {"id": 8}], [{"id": 9}], [{"id": 10}], []]


@route("GET", "/api/things")
def things(request):
    number = int(request.query.get("p", 0))
    return PAGES[number] if number < len(PAGES) else []
