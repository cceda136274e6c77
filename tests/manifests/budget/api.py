"""Tells how many calls are left."""


@route("GET", "/{path}")
def any_path(request, path):
    return Answer([{"id": 1, "kind": request.query.get("kind")}], headers={"X-Remaining": 50, "X-Reset": 1709294460})
