"""Tokens in every form; a token of 40 seconds lasts for the run, the clock stands."""
from manifest_shapes import rows


def token(request, **more):
    count = request.times(request.path) + 1
    return f"{request.path.rsplit('/', 1)[-1]}-{count}"


@route("POST", "/oauth/acme/token")
def client(request):
    return {"access_token": token(request), "expires_in": "40", "token_type": "Bearer"}


@route("POST", "/oauth/other")
def other(request):
    return {"token": token(request), "ttl": 3600}


@route("POST", "/oauth/named")
def named(request):
    return {"data": {"accessToken": token(request)}, "expires_in": 100}


@route("POST", "/oauth/basic")
def basic(request):
    return {"access_token": token(request), "expires_at": "2024-03-01T13:00:00Z"}


@route("POST", "/oauth/given")
def given(request):
    return {"access_token": token(request), "expires_in": 60}


@route("POST", "/oauth/jwt")
def jwt(request):
    return {"access_token": token(request), "expires_in": 60}


@route("GET", "/api/{name}")
def items(request, name):
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return Answer({"error": "who are you"}, 401)
    page = int(request.query.get("page", 1))
    return {"items": rows(3)[2 * page - 2:2 * page]}
