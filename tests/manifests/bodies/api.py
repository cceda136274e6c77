"""A graph that answers any body; what matters is what was sent."""


def after(request):
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        body = request.json
        return (body.get("variables") or body).get("after") if isinstance(body, dict) else None
    return request.form.get("after") if "form" in kind else None


def graph(request):
    paged = b"after" in request.body or request.headers.get("X-Tries") or b"things" in request.body or b"flag=" in request.body
    start = int(after(request) or 0)
    return {"data": {"things": {"nodes": [{"id": start + 1}, {"id": start + 2}], "end": str(start + 2) if start < 4 and paged else None}}}


route("GET", "/graphql")(graph)
route("POST", "/graphql")(graph)
