"""What the APIs of tests/manifests have in common: records, and the ways in which APIs divide them into pages."""

import json


def rows(count, **fields):
    """Records with an `id` from 1; a field is a value, or a function of the id."""
    return [{"id": i, **{k: v(i) if callable(v) else v for k, v in fields.items()}} for i in range(1, count + 1)]


def by_number(request, items, size=3, first=1, number="page", per="per_page"):
    size = int(request.query.get(per, size))
    start = (int(request.query.get(number, first)) - first) * size
    return items[start:start + size]


def by_offset(request, items, size=3, offset="offset", limit="limit"):
    size, start = int(request.query.get(limit, size)), int(request.query.get(offset, 0))
    return items[start:start + size]


def by_cursor(request, items, size=3, name="cursor"):
    """A page and the cursor of the next one, or None."""
    start = int(request.query.get(name) or 0)
    more = start + size < len(items)
    return items[start:start + size], start + size if more else None


def between(items, field, low=None, high=None):
    """Those whose `field` is not below `low` and not above `high`."""
    return [i for i in items if (not low or i[field] >= low) and (not high or i[field] <= high)]


def lines(items):
    return "".join(json.dumps(item) + "\n" for item in items)
