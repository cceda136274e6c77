"""Jobs that never end, that fail once, whose file comes in pages, that can't be made."""
from manifest_shapes import lines


@route("POST", "/jobs")
def create(request):
    name = request.json["report"]
    if name == "refused":
        return Answer({"error": "no"}, 403)
    if name == "late" and request.times(("late", request.phase)) == 0:
        return Answer({"error": "soon"}, 503)
    return {"id": name}


@route("GET", "/jobs/{job}")
def poll(request, job):
    if job == "endless":
        return {"status": "running"}
    if job == "shaky" and request.times(("shaky", request.phase)) == 0:
        return {"status": "failed"}
    return {"status": "done", "url": f"{request.base}/files/{job}"}


@route("POST", "/jobs/{job}/abort")
def abort(request, job):
    return {}


@route("GET", "/files/{job}")
def download(request, job):
    page = int(request.query.get("page", 1))
    return {"rows": [{"id": 10 * page + i} for i in range(2)] if page < 3 else []}
