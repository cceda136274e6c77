"""Events; in the second phase one is newer, one comes late, one without a stamp, one is beyond the end."""

EVENTS = [
    {"id": 1, "updated_at": "2024-02-10T00:00:00Z"}, {"id": 2, "updated_at": "2024-02-14T23:59:59Z"},
    {"id": 3, "updated_at": "2024-02-15T00:00:00Z"}, {"id": 4, "updated_at": "2024-02-29T12:00:00Z"}, {"id": 5},
    {"id": 6, "updated_at": None},
]
LATER = [
    {"id": 7, "updated_at": "2024-03-04T08:00:00Z"}, {"id": 8, "updated_at": "2024-02-28T00:00:00Z"},
    {"id": 9, "updated_at": "2024-03-09T00:00:00Z"},
]


def events(request, day=None):
    since = request.query.get("since") or request.headers.get("If-Modified-Since") or ""
    until = request.query.get("until") or "9"
    items = EVENTS + (LATER if request.phase == 2 else [])
    return {"events": [i for i in items if since <= (i.get("updated_at") or since) <= until or i["id"] == 9]}


route("GET", "/events")(events)
route("POST", "/events/{day}")(events)
route("GET", "/nothing")(lambda request: {"events": []})
