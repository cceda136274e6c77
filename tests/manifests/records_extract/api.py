"""Bodies of every shape."""


def body(path, text, **more):
    route("GET", path)(lambda request: Answer(text, **more))


body("/object", {"id": 1, "a": {"b": {"c": [{"id": 2}, {"id": 3}]}, "list": [{"id": 4, "sub": [{"id": 5}, {"id": 6}]}, {"sub": []}, {"sub": [{"id": 7}]}]}, "nothing": 0})
body("/array", [{"id": 1}, {}, {"id": 2}, None, {"id": None}])
body("/objects", [{"items": [{"id": 1}, {"id": 2}]}, {"items": []}, {}, {"items": {"id": 3}}, {"items": None}])
body("/keyed", {"x": {"id": 1, "value": {"v": 1}}, "y": {"id": 2, "value": {"v": 2}}, "z/w": {"id": 3}})
body("/empties", [])
body("/html", "<html><body>Service is down</body></html>", type="text/html")
body("/empty", "")
body("/no_content", "", status=204)
body("/numbers", '[{"id": 9007199254740993, "b": 18446744073709551615, "f": 1.0, "e": 1e3, "n": -0.0, "s": 0.1, "t": 1E-7, "u": 123456789012345678901234567890}]')
body("/texts", '[{"id": "\\u00e4\\ud83d\\ude00", "z": "a\\u0000b", "nl": "a\\nb", "dup": 1, "dup": 2, "deep": {"x": [[[{}]]], "null": null}, "top": null}]')
body("/scalars", [1, 2])
body("/strings", {"data": "text"})
