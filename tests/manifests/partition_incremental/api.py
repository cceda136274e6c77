"""Projects with tasks with notes; later one project is new, one has news, and the others are as they were."""


def since(request, items):
    low, high = request.query.get("since", ""), request.query.get("until", "9")
    return [i for i in items if low <= i["updated"] <= high]


def stamp(day):
    return f"2024-{day}T00:00:00Z"


@route("GET", "/projects")
def projects(request):
    days = {1: "02-05", 2: "02-10", 3: "02-20"} | ({4: "03-03", 2: "03-02"} if request.phase == 2 else {})
    return since(request, [{"id": i, "updated": stamp(day)} for i, day in days.items()])


@route("GET", "/projects/{project}/tasks")
def tasks(request, project):
    days = {"1": ["02-06", "02-07"], "2": ["02-25"], "3": [], "4": ["02-02", "03-04"]}[project]
    days = days + (["03-01", "03-02"] if request.phase == 2 and project == "2" else [])
    return since(request, [{"id": 10 * int(project) + i, "updated": stamp(day)} for i, day in enumerate(days)])


@route("GET", "/tasks/{task}/notes")
def notes(request, task):
    return since(request, [{"id": 10 * int(task), "updated": stamp("02-28" if request.phase == 1 else "03-04")}])
