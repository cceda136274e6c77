"""Reports by path."""


@route("GET", "{*}")
def any_path(request):
    return {"rows": [{"id": 1, "path": request.path, "query": request.pairs}]}
