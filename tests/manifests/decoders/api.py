"""The same rows in every format."""
import gzip
import io
import json
import zipfile

from manifest_shapes import lines, rows

ROWS = rows(3, name=lambda i: f"n{i}, x", note=lambda i: None if i == 2 else "a\"b")
CSV = "id,name,note\n1,\"n1, x\",\"a\"\"b\"\n2,\"n\n2\",\n3,n3\n"
XML = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://g"><title>T &amp; t</title>
<entry id="1"><g:price>5</g:price><tag>a</tag><tag>b</tag></entry><entry id="2"><empty/><text> padded </text><c><![CDATA[<x>]]></c></entry></feed>"""
FORMATS = {"jsonl": lines(ROWS), "csv": CSV, "json": json.dumps(ROWS)}


def zipped(text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", text)
        archive.writestr("b.txt", text)
    return buffer.getvalue()


@route("GET", "/jsonl")
def jsonl(request):
    return Answer(FORMATS["jsonl"] if "page" not in request.query else "", type="application/x-ndjson")


@route("GET", "/json")
def json_body(request):
    return [{"id": 1, "next": None}] if "after" in request.query else [{"id": 1, "next": "x"}, {"id": 2}]


@route("GET", "/gz/{kind}")
def gz(request, kind):
    return Answer(gzip.compress(FORMATS[kind].encode(), mtime=0), type="application/gzip")


@route("GET", "/zip/{kind}")
def zip_body(request, kind):
    return Answer(zipped(FORMATS[kind]), type="application/zip")


def body(path, text, **more):
    route("GET", path)(lambda request: Answer(text, **more))


body("/csv", CSV, type="text/csv")
body("/csv_semicolon", "id;name;note\r\n1;Zoë;NULL\r\n2;;x\r\n".encode("latin-1"), type="text/csv")
body("/csv_tabs", "id\tname\n1\tx y\n", type="text/tab-separated-values")
body("/xml", XML, type="application/xml")
body("/lines", "one\ntwo\n\nthree", type="text/plain")
body("/items", {"data": {"rows": ROWS, "total": 3}})
body("/broken", '{"id": 1}\nnot json\n{"id": 2}\n')
