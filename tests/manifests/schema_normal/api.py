"""Values that do not fit what is declared."""

ODD = [
    {"id": "5", "text": 7, "must": None, "number": "1.5", "flag": "yes", "mixed": 3, "list": "one", "numbers": ["1", 2, "x", None],
     "object": {"inner": 5, "n": "7", "more": 1}, "objects": [{"x": 1}, {"x": None}], "untyped": 1, "any": 5, "one": 5, "date": 20240101},
    {"id": 1.0, "text": True, "must": {"a": [1, None, "q'"]}, "number": 3, "flag": 1, "mixed": None, "list": [1, None, {"y": 1}], "numbers": 5,
     "object": "text", "objects": {"x": 1}, "extra": "kept", "date": None},
    {"id": "1.5", "text": ["a", 1], "must": 1.0, "number": "", "flag": "false", "list": None, "numbers": [], "object": None},
    {"id": True, "text": 1e21, "must": False, "number": True, "flag": "", "list": [[1]], "numbers": "7"},
]


@route("GET", "/odd")
def odd(request):
    return ODD
