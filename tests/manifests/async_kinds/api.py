"""Jobs that fail and succeed later, that can't be made, that take too long, that have nothing; downloads in pages."""
from manifest_shapes import lines


@route("POST", "/jobs")
def create(request):
    kind = request.json["kind"]
    name = "-".join(str(v) for v in request.json.values())
    number = request.times(("create", name))
    if kind == "refused" or (kind == "late" and number == 0):
        return Answer({"error": "not now"}, 400)
    if kind == "forbidden":
        return Answer({"error": "who are you"}, 401)
    if kind == "passed_over":
        return Answer({"error": "gone"}, 410)
    request.memory[name] = number
    return Answer({"id": name, "attempt": number}, 201, {"Location": f"{request.base}/jobs/{name}", "X-Job": name})


@route("GET", "/jobs/{job}")
def poll(request, job):
    kind, number = job.split("-")[0], request.memory[job]
    pages = {"pages": {"next": f"{request.base}/pages/{job}/1"}}
    if kind == "flaky" and number < 2:
        return {"state": {"code": 3}}
    if kind == "slow":
        return {"state": {"code": 4}}
    if kind == "gaps" and job.endswith("2024-02-26"):
        return {"state": {"code": 5}}
    if kind == "boolean":
        return {"done": request.times(("poll", job)) > 0}
    return {"state": {"code": 1 if request.times(("poll", job)) == 0 else 2}, "id": job, **pages}


@route("POST", "/jobs/{job}/delete")
def delete(request, job):
    return Answer(b"", 204)


@route("POST", "/jobs/{job}/abort")
def abort(request, job):
    return {}


@route("GET", "/pages/{job}/{number}")
def page(request, job, number):
    number = int(number)
    rows = [{"id": number * 10 + i, "kind": job.split("-")[0], "value": {"x": i}} for i in range(2)]
    body = {"rows": rows if number < 4 else []}
    if number < 3:
        body["next"] = f"{request.base}/pages/{job}/{number + 1}"
    return body


@route("GET", "/table/{job}")
def table(request, job):
    return Answer("id,name,note\n1,one,NA\n2,\"t,wo\",\n3,null,\"li\nne\"\n", type="text/csv")


@route("GET", "/days/{job}")
def days(request, job):
    day = job[len("gaps-"):]
    return Answer(lines([{"id": 1, "day": day}, {"id": 2, "day": day}]), type="text/plain")


@route("GET", "/offset/{job}")
def offset(request, job):
    start = int(request.query.get("offset", 0))
    return [{"id": i} for i in range(start, min(start + 2, 5))]


@route("GET", "/gone/{job}")
def gone(request, job):
    return Answer({"error": "gone"}, 410)


@route("GET", "/accounts")
def accounts(request):
    return [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
