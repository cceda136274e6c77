"""Tells what it was asked."""


@route("GET", "/asked/{rest}")
def asked(request, rest):
    return {"data": [{"id": 1, "path": rest, "query": request.pairs}]}


@route("POST", "/asked/{rest}")
def posted(request, rest):
    return {"data": [{"id": 1, "path": rest, "body": request.json}]}


@route("GET", "/teams")
def teams(request):
    return {"data": [{"id": "007", "tags": []}, {"id": 1.0, "tags": ["x"]}, {"id": True}, {"id": "1e3"}, {"id": 0}, {"id": ""}]}
