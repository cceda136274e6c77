"""Days that can be asked for from and to, and the same below accounts."""
from manifest_shapes import between

DAYS = [{"id": n, "day": day, "at": f"{day}T10:00:00Z"} for n, day in enumerate(["2024-01-03", "2024-01-31", "2024-02-01", "2024-02-14", "2024-02-29", "2024-03-01"])]


@route("GET", "/days")
def days(request):
    items = DAYS + ([{"id": 9, "day": "2024-03-04", "at": "2024-03-04T10:00:00Z"}] if request.phase == 2 else [])
    return {"data": between(items, "day", request.query.get("since"), request.query.get("until"))}


@route("GET", "/{account}/days")
def of_account(request, account):
    return {"data": [{**item, "account": account} for item in days(request)["data"]]}
