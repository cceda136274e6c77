"""Every refresh token is good for one refresh; the access token lasts an hour, so the second sync refreshes again."""


@route("POST", "/token")
def token(request):
    current = request.memory.get("refresh", "r-0")
    if request.form.get("refresh_token") != current:
        return Answer({"error": "invalid_grant"}, 400)
    number = int(current[2:]) + 1
    request.memory["refresh"] = f"r-{number}"
    return {"access_token": f"a-{number}", "refresh_token": f"r-{number}", "expires_in": 3600}


@route("GET", "/letters")
def letters(request):
    if request.headers.get("Authorization") != "Bearer a-" + request.memory.get("refresh", "r-?")[2:]:
        return Answer({"error": "expired"}, 401)
    return {"one": {"letters": [{"id": "a"}, {"id": "b"}]}, "two": {"letters": [{"id": "c"}]}, "three": {}}
