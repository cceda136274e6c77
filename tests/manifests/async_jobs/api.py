"""Jobs that take two polls; one kind fails always, one has nothing."""
import gzip

from manifest_shapes import lines


@route("POST", "/jobs")
def create(request):
    number = request.times("jobs") + 1
    # The number depends on what else runs: jobs are known by what they are for.
    name = "-".join(str(v) for v in request.json.values())
    request.memory[name] = request.json
    return Answer({"id": name, "status": "queued"}, 201)


@route("GET", "/jobs/{job}")
def poll(request, job):
    if job == "failing":
        return {"status": "failed"}
    if job == "nothing":
        return {"status": "empty"}
    if request.times(("poll", job)) == 0:
        return {"status": "running"}
    return {"status": "done", "id": job, "files": [f"{request.base}/files/{job}/{i}" for i in range(2)]}


@route("GET", "/jobs/{job}/files")
def files(request, job):
    return {"files": [f"{request.base}/files/{job}/9"]}


@route("POST", "/jobs/{job}/delete")
def delete(request, job):
    return {}


@route("GET", "/files/{job}/{number}")
def download(request, job, number):
    if job == "csv":
        return Answer(gzip.compress(f"id,name\n{number},x\n".encode(), mtime=0), type="application/gzip")
    day = request.memory[job].get("from")
    return Answer(lines([{"id": int(number), "day": day}]), type="text/plain")
