"""Things for whoever shows a token."""


@route("GET", "/things")
def things(request):
    return {"id": 1}
