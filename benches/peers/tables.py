"""What lineitem and payments look like when they have arrived unharmed."""

# Types of PostgreSQL to those of Arrow that hold every value, and say what it is.
FAITHFUL = {
    "bigint": {"int64"},
    "integer": {"int32"},
    "numeric(15,2)": {"decimal128(15, 2)"},
    "numeric(18,4)": {"decimal128(18, 4)"},
    "text": {"string", "large_string"},
    "date": {"date32[day]"},
    "timestamptz": {"timestamp[us, tz=UTC]"},
    "boolean": {"bool"},
    "double precision": {"double"},
    "uuid": {"extension<arrow.uuid>", "fixed_size_binary[16]"},
    "jsonb": {"string", "large_string", "extension<arrow.json>"},
    "text[]": {"list<string>", "large_list<string>"},
}
COLUMNS = {
    "lineitem": {
        "l_orderkey": "bigint",
        "l_partkey": "bigint",
        "l_suppkey": "bigint",
        "l_linenumber": "integer",
        "l_quantity": "numeric(15,2)",
        "l_extendedprice": "numeric(15,2)",
        "l_discount": "numeric(15,2)",
        "l_tax": "numeric(15,2)",
        "l_returnflag": "text",
        "l_linestatus": "text",
        "l_shipdate": "date",
        "l_commitdate": "date",
        "l_receiptdate": "date",
        "l_shipinstruct": "text",
        "l_shipmode": "text",
        "l_comment": "text",
    },
    "payments": {
        "id": "bigint",
        "payment_id": "uuid",
        "merchant_id": "integer",
        "amount": "numeric(18,4)",
        "currency": "text",
        "status": "text",
        "status_reason": "text",
        "bank_code": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "metadata": "jsonb",
        "tags": "text[]",
        "is_test": "boolean",
        "fee": "double precision",
        "settled_on": "date",
    },
}
# A sum for the server, the column it is over, and what is summed of its values (see check.py).
SUMS = {
    "lineitem": [
        ("sum(l_orderkey)", "l_orderkey", "value"),
        ("sum(l_linenumber)", "l_linenumber", "value"),
        ("sum(l_extendedprice)", "l_extendedprice", "value"),
        ("sum(l_tax)", "l_tax", "value"),
        ("sum(l_receiptdate - date '1970-01-01')", "l_receiptdate", "days"),
        ("sum(char_length(l_comment))", "l_comment", "length"),
    ],
    "payments": [
        ("sum(id)", "id", "value"),
        ("sum(amount)", "amount", "value"),
        ("sum((extract(epoch FROM updated_at) * 1000000)::bigint % 1000003)", "updated_at", "microseconds"),
        ("count(status_reason)", "status_reason", "count"),
        ("sum(settled_on - date '1970-01-01')", "settled_on", "days"),
        ("sum(char_length(bank_code))", "bank_code", "length"),
        ("sum(coalesce(cardinality(tags), 0))", "tags", "elements"),
    ],
}


def differing(table, types):
    """The columns whose type is another than expected: `numeric(15,2) as string: l_tax, …`."""
    found = {}
    for column, native in COLUMNS[table].items():
        arrived = types.get(column, "nothing")
        if arrived not in FAITHFUL[native]:
            found.setdefault(f"{native} as {arrived}", []).append(column)
    return [f"{what} ({', '.join(columns)})" for what, columns in found.items()]
