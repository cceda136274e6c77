"""Organisations (one without a key, one twice, one that is gone), their teams, their members."""
from manifest_shapes import by_number

ORGS = [
    {"id": 1, "name": "one", "owner": {"login": "ann", "kind": "user"}, "items": {"data": [{"id": 101}, {"id": 102}], "next": None}},
    {"id": None, "name": "none"}, {"name": "missing", "owner": {"login": ""}}, {"id": 2, "name": "two", "owner": None},
    {"id": 1, "name": "again", "owner": {"login": "bob"}}, {"id": 4, "name": "gone", "owner": {"login": "cy d"}},
]


def data(items):
    return {"data": items}


@route("GET", "/orgs")
def orgs(request):
    items = ORGS + ([{"id": 5, "name": "five"}] if request.phase == 2 else [])
    return data(by_number(request, items, size=2))


@route("GET", "/orgs/{org}/teams")
def teams(request, org):
    if org == "4":
        return Answer({"error": "gone"}, 404)
    return data([{"id": 10 * int(org) + i} for i in range(2)])


@route("GET", "/orgs/{org}/teams/{team}/members")
def members(request, org, team):
    return data([{"id": 1000 * int(org) + int(team)}])


route("GET", "/owners")(lambda request: data([{"id": 1, "of": request.query.get("owner")}]))
route("GET", "/any")(lambda request: data([{"id": 1, "query": request.pairs}]))
route("GET", "/items/{org}")(lambda request, org: data([{"id": int(org)}]))
