"""Things."""


@route("GET", "{*}")
def things(request):
    return {"things": [{"id": 1, "name": request.path}]}
