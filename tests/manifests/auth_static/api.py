"""Says yes to everyone: what counts is what the client shows."""


def me(request):
    return {"id": 1}


route("GET", "/me")(me)
route("POST", "/me")(me)
