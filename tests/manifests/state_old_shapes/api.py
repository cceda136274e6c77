"""A row a day."""


@route("GET", "/rows")
def rows(request):
    days = ["2024-01-10", "2024-02-10", "2024-02-20"] + (["2024-03-02"] if request.phase == 2 else [])
    return [{"id": i, "at": day} for i, day in enumerate(days) if day >= request.query["since"]]


@route("GET", "/parts")
def parts(request):
    return [{"id": "a"}, {"id": "b"}, {"id": "c"}]
