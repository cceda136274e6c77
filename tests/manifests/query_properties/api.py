"""Rows with only the fields that are asked for."""
from manifest_shapes import by_number, rows


@route("GET", "/properties")
def properties(request):
    return {"properties": [{"name": n} for n in "abc"]}


@route("GET", "/rows")
def listing(request):
    wanted = request.query.get("fields", "").split(",")
    items = [{"id": f"k{r['id']}", **{f: f"{f}{r['id']}" for f in wanted if f and f != "id"}} for r in rows(3)]
    return {"rows": by_number(request, items, size=2)}


@route("POST", "/rows")
def posted(request):
    return {"rows": [{"id": 1}]}
