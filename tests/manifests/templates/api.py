"""One thing with something of everything."""

THING = {
    "id": 42, "name": "Ada Lovelace", "price": 19.99, "ratio": 1.0, "ok": True, "nothing": None, "zip": "04109", "email": "ada@example.com",
    "tags": [{"n": "x", "k": 1}, {"n": "y", "k": 2}, {"n": "x", "k": 3}], "json": "{\"k\": [1, null]}", "encoded": "QWRh", "big": 9007199254740993,
    "at": "2024-02-03T04:05:06.789Z", "epoch": 1706933106, "millis": 1706933106789, "text_true": "true", "text_null": "null",
}


@route("GET", "/things")
def things(request):
    return [THING]
