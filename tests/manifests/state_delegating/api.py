"""All users, or what happened to them."""

USERS = [{"id": 1, "at": "2024-02-20T00:00:00Z"}, {"id": 2, "at": "2024-02-29T00:00:00Z"}]


@route("GET", "/all")
def everyone(request):
    return USERS + ([{"id": 3, "at": "2024-03-04T00:00:00Z"}] if request.phase == 2 else [])


@route("GET", "/events")
def events(request):
    return [{"id": 3, "at": "2024-03-04T00:00:00Z"}]
