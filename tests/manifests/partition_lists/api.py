"""Sales by region and kind; the second phase sells in the north too."""
from manifest_shapes import between


def sales(request, region=None):
    region = region or request.query.get("region", "all")
    kind = request.headers.get("X-Kind") or request.query.get("kind", "")
    days = ["2024-02-21", "2024-02-28"] + (["2024-03-04"] if request.phase == 2 and region != "us" else [])
    items = [{"id": f"{region}{kind}{day[5:]}", "day": day} for day in days]
    return {"rows": between(items, "day", request.query.get("from"), request.query.get("to"))}


route("GET", "/sales")(sales)
route("GET", "/sales/{region}")(sales)
