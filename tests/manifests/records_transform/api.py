"""Three people."""

PEOPLE = [
    {"id": 1, "first": "Ada", "last": "Lovelace", "age": 36, "born": "1815-12-10", "tags": ["maths", "poetry"], "nick": "0.0",
     "address": {"zip": "04109", "City": "London", "geo": {"lat": 51.5}}, "links": [{"url": "a", "secret": 1}, {"url": "b", "secret": 2}], "camelCaseKey": {"innerKey": 1}, "HTTPCode 2": "x"},
    {"id": 2, "first": "Alan", "last": "Turing", "age": 41, "born": "1912-06-23T10:20:30Z", "tags": [], "nick": None,
     "address": {"zip": None, "City": ""}, "links": [], "camelCaseKey": None, "Some-Key.": 5},
    {"id": 3, "first": "Grace", "last": "Hopper", "age": 85, "born": "1906-12-09", "tags": ["navy"], "nick": "Amazing",
     "address": {"zip": "22201", "City": "Arlington"}, "links": [{"url": "c"}], "empty": {}, "list": [[1], [{"x": 2}]]},
]


@route("GET", "/people")
def people(request):
    return PEOPLE[:1 + request.phase]
