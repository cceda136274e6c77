"""Three rows in two pages, however they are asked for."""
from manifest_shapes import rows


def answer(request):
    body = request.json or {}
    page = int(request.query.get("page") or (body.get("page") or {}).get("number") or 1)
    return rows(3, at="2024-02-10")[2 * page - 2:2 * page]


for path in ("/rows", "/cached"):
    route("GET", path)(answer)
    route("POST", path)(answer)
