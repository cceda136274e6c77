"""Rows of a region."""


@route("GET", "/v1/rows/{region}")
def rows(request, region):
    return [{"id": 1, "region": region}]
