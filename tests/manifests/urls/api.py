"""Says what it was asked for."""


@route("GET", "/moved")
def moved(request):
    return Answer("", 302, {"Location": "/arrived?b=2"})


@route("GET", "{*}")
def echo(request):
    return {"path": request.path}
