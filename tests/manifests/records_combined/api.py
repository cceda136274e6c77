"""Answers with several lists, orders with their items, a list that is cut short."""


@route("GET", "/lists")
def lists(request):
    return {"open": [{"id": 1}, None, {}], "closed": [{"id": 2}], "none": []}


@route("GET", "/orders")
def orders(request):
    return {"data": [
        {"id": 1, "buyer": {"name": "ann"}, "items": {"data": [{"sku": "a"}, {"sku": "b", "id": 9}], "has_more": False}},
        {"id": 2, "buyer": {"name": "bob"}, "items": {"data": [{"sku": "c"}], "has_more": True}},
        {"id": 3, "buyer": {"name": "cy"}, "items": {"data": [], "has_more": False}}, {"id": 4},
    ]}


@route("GET", "/orders/{order}/items")
def items(request, order):
    return {"data": [{"sku": "c"}, {"sku": "d"}]}


@route("GET", "/columns")
def columns(request):
    return {"fields": [{"name": "Id", "kind": "number"}, {"name": "Full name", "kind": "text"}, {"name": "tags", "kind": "list"}, {"name": "odd", "kind": "what"}]}
