"""Tables of two bases, their columns and rows."""


@route("GET", "/tables")
def tables(request):
    base = request.query["base"]
    return {"tables": [{"id": f"t{base}{i}", "name": f"table {i}"} for i in range(1 + request.phase)][: 2 if base == "a" else 1]}


@route("GET", "/tables/{table}/columns")
def columns(request, table):
    return {"columns": [{"name": "id", "kind": "int"}, {"name": "Name", "kind": "text"}, {"name": "at", "kind": "stamp"}, {"name": "list", "kind": "many"},
                        {"name": "c1", "kind": "calc", "options": {"result": "text"}}, {"name": "c2", "kind": "calc", "options": {"result": "num"}}, {"name": "odd", "kind": "string"}]}


@route("GET", "/tables/{table}/rows")
def rows(request, table):
    return [{"id": 1, "Name": f"{table} of {request.query.get('base')}"}, {"id": 2}]
