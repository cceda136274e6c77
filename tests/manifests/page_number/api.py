"""Books by page number; a page that is full needs one more request."""
from manifest_shapes import by_number, rows

BOOKS = rows(6, title=lambda i: f"Volume {i}" if i % 2 else None)


@route("GET", "/v1/books")
def books(request):
    return {"books": by_number(request, BOOKS + (rows(7)[6:] if request.phase == 2 else []))}
