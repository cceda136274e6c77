"""What the reference makes of answers: decoders, extractors, filters, transformations, normalisation, schemas.

Writes connectors/src/source/declarative/fixtures/records.json. Needs airbyte-cdk 7.39.1 with pandas:
    python tests/lab/python/manifest_records.py
"""

import base64
import gzip
import io
import json
import logging
import pathlib
import zipfile

import requests
from airbyte_cdk.sources.declarative.decoders import PaginationDecoderDecorator
from airbyte_cdk.sources.declarative.models import declarative_component_schema as models
from airbyte_cdk.sources.declarative.parsers.manifest_component_transformer import ManifestComponentTransformer
from airbyte_cdk.sources.declarative.parsers.model_to_component_factory import ModelToComponentFactory
from airbyte_cdk.sources.types import StreamSlice
from urllib3.response import HTTPResponse

logging.disable(logging.CRITICAL)
CONFIG = {"field": "data", "n": 3, "name": "ann", "flag": True}
SLICE = {"partition": {"team": 7}, "cursor": {"start": "2024-01-01"}, "extra": {"x": [1]}}
FACTORY = ModelToComponentFactory(disable_retries=True)


def component(definition):
    known = ManifestComponentTransformer().propagate_types_and_parameters("", definition, {})
    model = getattr(models, definition["type"])
    return model, known


def build(definition, **kwargs):
    model, known = component(definition)
    return FACTORY.create_component(model, known, CONFIG, **kwargs)


def answer(body, headers):
    response = requests.Response()
    response.status_code = 200
    response.headers.update(headers)
    response.raw = HTTPResponse(body=io.BytesIO(body), headers=headers, preload_content=False)
    response.url = "http://api.test/"
    response.request = requests.Request("GET", response.url).prepare()
    return response


def plain(value):
    """Keys as JSON writes them."""
    if isinstance(value, dict):
        return {("null" if k is None else k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


CASES = []


def select(group, extractor, body, decoder=None, transformations=(), headers=None, schema=None, **selector):
    body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    definition = {"type": "RecordSelector", "extractor": extractor, **selector}
    case = {"group": group, "selector": definition, "decoder": decoder, "transformations": list(transformations)}
    case |= {"body": base64.b64encode(body).decode(), "headers": headers or {}, "schema": schema}
    stream_slice = StreamSlice(partition=SLICE["partition"], cursor_slice=SLICE["cursor"], extra_fields=SLICE["extra"])
    try:
        if extractor["type"] == "ResponseToFileExtractor":
            # Only downloads of jobs have it, without a selector.
            case["records"] = [plain(record) for record in build(extractor).extract_records(answer(body, {}))]
            case |= {"extracted": len(case["records"]), "response": "!"}
            CASES.append(case)
            return
        built = build(decoder) if decoder else None
        made = build(
            definition,
            name="s",
            decoder=built,
            transformations=[build(one) for one in transformations],
        )
        response = answer(body, headers or {})
        records = list(made.select_records(response, {}, schema or {}, stream_slice, {"next_page_token": "t"}))
        case["records"] = [plain(record.data) for record in records]
        case["extracted"] = response._airbyte_extracted_record_count
        bad = [record for record in case["records"] if not isinstance(record, dict)]
        if bad:
            case["records"] = "!"  # fails where messages are made of them
        else:
            json.dumps(case["records"])
    except Exception as error:
        case["records"] = "!"
        case["error"] = type(error).__name__
    if extractor["type"] == "ResponseToFileExtractor":
        CASES.append(case | {"response": "!"})
        return
    try:
        built = PaginationDecoderDecorator(build(decoder or {"type": "JsonDecoder"}))
        case["response"] = plain(next(iter(built.decode(answer(body, headers or {}))), {}))
    except Exception:
        case["response"] = "!"
    CASES.append(case)


def dpath(*path, **more):
    return {"type": "DpathExtractor", "field_path": list(path), **more}


def extractors():
    bodies = [
        '{"data":[{"id":1},{"id":2}],"next":"n"}', '{"data":{"id":1}}', '{"data":{}}', '{"data":[]}', '{"data":null}',
        '{"data":{"items":[{"id":1},{"id":2}],"more":true}}', '{"data":[{"items":[{"id":1}]},{"items":[{"id":2},{"id":3}]}]}',
        '{"data":{"a":{"id":1},"b":{"id":2},"ab":{"id":3}}}', '[{"id":1},{"id":2}]', '[]', '{}', '[[{"id":1}],[{"id":2}]]',
        '[{"data":[{"id":1}]},{"x":1},{"data":[{"id":2}]}]', '[{},{"id":1},{}]', '{"id":1,"data":"text"}', '{"data":0}',
        '{"data":[{"id":1},{}]}', '{"data":[{"id":1},null]}', '{"data":5}', '""', 'null', '7', '"x"', '', ' ', '{"data":false}',
        '{"data":[[{"id":1}],[{"id":2}]]}', '{"data":{"0":{"id":9}}}', '{"items":[{"id":1}],"data":{"list":[{"id":5,"n":null}]}}',
        '{"data":[{"id":1,"s":"\\u00e9\\ud83d\\ude00\\n\\/"},{"id":1e3},{"id":-0.0},{"id":12345678901234567}]}',
        '{"data":[{"id":18446744073709551615},{"x":[1.50,{"y":"é"}]}]}', '{"data":[{"a":1,"a":2}],"data":[{"b":3}]}',
    ]
    paths = [
        [], ["data"], ["data", "items"], ["data", "*"], ["data", "*", "items"], ["*"], ["data", "0"], ["data", "-1"], ["missing"],
        ["{{ config['field'] }}"], ["data", "a*"], ["data", "*", "id"], ["data", "[ab]"], ["**", "items"], ["data", "?"],
        ["{{ parameters['p'] }}", "items"], ["data", "0", "items"], ["data", "1"], ["*", "list"],
    ]
    for body in bodies:
        for path in paths:
            select("extract", dpath(*path, **{"$parameters": {"p": "data"}}), body)
    expander = {"type": "RecordExpander", "expand_records_from_field": ["lines", "data"]}
    parents = '{"data":[{"id":1,"k":{"v":2},"lines":{"data":[{"x":1},{"x":2,"id":9}],"n":2}},{"id":2,"lines":{"data":[]}},' \
        '{"id":3},{"id":4,"lines":{"data":[5,"t"]}},{"id":5,"lines":{"data":{"x":1}}}]}'
    for more in [
        {}, {"remain_original_record": True}, {"on_no_records": "emit_parent"}, {"merge_parent": True},
        {"parent_fields": [{"type": "ParentFieldPath", "parent_path": ["k", "v"], "record_path": ["up", "v"]},
                           {"type": "ParentFieldPath", "parent_path": ["none"], "record_path": ["none"]}]},
        {"expand_records_from_field": ["*", "data"]}, {"expand_records_from_field": ["lines", "*"], "merge_parent": True},
        {"expand_records_from_field": []}, {"expand_records_from_field": ["nothing"], "on_no_records": "emit_parent"},
    ]:
        select("expand", dpath("data", record_expander=expander | more), parents)
        select("expand", dpath("data", "0", record_expander=expander | more), parents)
    both = '{"a":[{"id":1},null,{}],"b":{"list":[{"id":2}]},"c":[]}'
    for mode in ["union", "first_match"]:
        for skip in [True, False]:
            for paths in [[["a"], ["b", "list"]], [["c"], ["b", "list"]], [["none"], ["c"]], [["c"], ["a"]], [["b"], ["a"]]]:
                select("combine", {"type": "CombinedExtractor", "mode": mode, "skip_empty_records": skip,
                                   "extractors": [dpath(*path) for path in paths]}, both)
    for text in [
        "id,name\n1,a\n2,NULL\n3,\n", 'id,name,id\n1,"a,b",2\n"x ""y""",NA,n/a\n', "", "id\n", "a,b\n1\n", "a,b\n1,2,3\n",
        "a,,c\n1,2,3\n", "a,b\r\n1,2\r\n\r\n3,4", "a,b\n\"x\ny\",\n",
    ]:
        for keep in [True, False]:
            for packed in [text.encode(), gzip.compress(text.encode())]:
                select("file", {"type": "ResponseToFileExtractor", "preserve_na_values": keep}, packed)


def decoders():
    jsons = [b'{"id":1}', b'[{"id":1},{"id":2}]', b"[]", b"{}", b"{\"a\":", b"", b"null", b"<html>", b'{"id":NaN}', b'\xff', b" ",
             '{"id":"é"}'.encode(), b'{"data":{"users":[{"id":1},{"id":2}]}}', b'{"data":{"users":[]}}', b'{"id": Infinity}']
    lines = [b'{"id":1}\n{"id":2}\n', b'{"id":1}\r\n{"id":2}', b'[{"id":1},{"id":2}]\n{"id":3}', b"", b'{"id":1}\n{}\n', b'{"a":"x\\ny"}\n']
    tables = [
        b"id,name\n1,a\n2,b\n", b'id,name\r\n1,"a, b"\r\n2,"say ""hi"""\r\n', b"id,name\n1\n2,b,c\n", b"id\n\n\n1\n", b"", b"id,name\n",
        b'id,name\n1,"multi\nline"\n', b'id,name\n1,"a"b\n2,a"b"\n', b"id,id\n1,2\n", b"id;name\n1;2\n", b"id\tname\n1\t2\n",
        "id,name\n1,é\n".encode(), "id,name\n1,é\n".encode("latin-1"), b"\xef\xbb\xbfid,name\n1,a\n", b"id,name\n1,\n,NULL\n", b'id\n"open',
        b"id,name\r1,a\r2,b\r",
    ]
    xmls = [
        b"<r><i>1</i><i>2</i></r>", b"<r><i a='1'>x</i><e/><t> y </t></r>", b"<r/>", b"<r>text</r>", b"<r a='1'/>", b"",
        b"<?xml version='1.0' encoding='UTF-8'?><!-- c --><r><i><![CDATA[<b>&]]></i><j>&lt;&amp;&#65;</j></r>", b"<r><a>1</a>tail<a>2</a></r>",
        b"<r xmlns='u' xmlns:x='v'><x:i>1</x:i></r>", "<r><i>é</i></r>".encode(), b"<r><i><k>1</k></i><i/></r>", b"<r>\n <i>\n a\n b </i>\n</r>",
        b"<r a='x&amp;y'><i  b=\"1\" >2</i></r>",
    ]
    for body in jsons:
        for decoder in [None, {"type": "JsonDecoder"}, {"type": "JsonItemsDecoder", "items_path": "data.users"},
                        {"type": "GzipDecoder", "decoder": {"type": "JsonDecoder"}}]:
            for packed in [body, gzip.compress(body)] if (decoder or {}).get("type") == "GzipDecoder" else [body]:
                select("json", dpath(), packed, decoder)
    for body in lines:
        for decoder in [{"type": "JsonlDecoder"}, {"type": "GzipDecoder", "decoder": {"type": "JsonlDecoder"}}]:
            select("lines", dpath(), body, decoder)
            select("lines", dpath("id"), body, decoder)
            select("lines", dpath(), gzip.compress(body) if decoder["type"] == "GzipDecoder" else body, decoder)
        select("lines", dpath(), body, {"type": "IterableDecoder"})
        select("lines", dpath("record"), body, {"type": "IterableDecoder"})
    for body in tables:
        for more in [{}, {"delimiter": ";"}, {"delimiter": "\\t"}, {"encoding": "iso-8859-1"}, {"encoding": "utf-8-sig"},
                     {"set_values_to_none": ["", "NULL"]}]:
            decoder = {"type": "CsvDecoder", **more}
            select("csv", dpath(), body, decoder)
            if not more:
                select("csv", dpath(), gzip.compress(body), {"type": "GzipDecoder", "decoder": decoder})
    for body in xmls:
        for path in [[], ["r"], ["r", "i"], ["r", "*"]]:
            select("xml", dpath(*path), body, {"type": "XmlDecoder"}, headers={"Content-Type": "application/xml; charset=utf-8"})
    for method in [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]:
        for files, inner in [
            ({"a.csv": b"id\n1\n2\n", "b.csv": b"id\n3\n"}, {"type": "CsvDecoder"}), ({"a.json": b'{"data":[{"id":1}]}'}, {"type": "JsonDecoder"}),
            ({}, {"type": "CsvDecoder"}), ({"a.jsonl": b'{"id":1}\n{"id":2}\n'}, {"type": "JsonlDecoder"}),
            ({"a.gz": gzip.compress(b"id\n1\n")}, {"type": "GzipDecoder", "decoder": {"type": "CsvDecoder"}}),
        ]:
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", method) as archive:
                for name, body in files.items():
                    info = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
                    info.compress_type = method
                    archive.writestr(info, body)
            for path in [[], ["data"]]:
                select("zip", dpath(*path), out.getvalue(), {"type": "ZipfileDecoder", "decoder": inner})
    select("zip", dpath(), b"no archive", {"type": "ZipfileDecoder", "decoder": {"type": "CsvDecoder"}})


RECORDS = [
    {"id": 1, "name": "Ann", "tags": ["a", "b"], "nested": {"k": {"v": 1}, "list": [{"x": 1, "y": 2}, {"x": 3}]}, "none": None},
    {"id": "2", "Some Key": 1.5, "camelCaseKey": True, "nested": {"Inner Key": {"DeepKey": 1}}, "ID2Name": "x", "__": 0},
    {"date": "2024-05-06", "a": {"b": {"c": [1, [2, 3], {"d": 4}]}}, "b": 2, "empty": {}, "list": [], "0": "zero"},
    {"Größe": 1, "日本": 2, "x-y.z": {"A": 1}, "a": [{"b": 1}, {"b": 2}], "HTTPServer2Go": 3, "9lives": 4, "a1b2": 5},
]


def transformations():
    def add(path, value, condition=None, **more):
        made = {"type": "AddFields", "fields": [{"type": "AddedFieldDefinition", "path": path, "value": value, **more}]}
        return made | ({"condition": condition} if condition is not None else {})

    def remove(*pointers, condition=None):
        made = {"type": "RemoveFields", "field_pointers": [list(pointer) for pointer in pointers]}
        return made | ({"condition": condition} if condition is not None else {})

    values = [
        "static", "5", "1.50", "", "{{ record.id }}", "{{ record['name'] }}", "{{ record.nested.k }}", "{{ record.missing }}", "None",
        "{{ config['name'] }}-{{ record.id }}", "{{ stream_slice.team }}", "{{ stream_partition['team'] }}", "{{ stream_interval.start }}",
        "{{ stream_slice.extra_fields }}", "{{ record.get('tags', []) | length }}", "{{ 2 * 2 }}", "true", "True", "[1, 2]", "{'a': 1}", "'q'",
        "{{ record.missing.more }}", "{{ parameters['p'] }}", "{{ record }}", "{{ record.none }}", "{{ record.id | int + 1 }}",
        "{% if record.id %}yes{% else %}no{% endif %}", "007", "{{ unknown }}",
    ]
    paths = [["new"], ["nested", "new"], ["nested", "k", "v"], ["a", "b", "c", "5"], ["tags", "4"], ["deep", "er", "0", "x"], ["id"], ["none", "x"],
             ["a", "0", "b"], ["id", "x"], ["list", "2"], ["tags", "x"], ["0"]]
    chains = [[add(["new"], value, **{"$parameters": {"p": "par"}})] for value in values]
    chains += [[add(path, "v")] for path in paths]
    chains += [[add(["new"], value, value_type=kind)] for value in ["5", "{{ record.id }}", "1.5", "True", "{{ record.name }}", "'7'"]
               for kind in ["string", "integer", "number", "boolean"]]
    chains += [[add(["new"], "{{ record.id }}", condition)] for condition in
               ["{{ value }}", "{{ value == 1 }}", "{{ record.name == 'Ann' }}", "False", "", "{{ path[0] == 'new' }}", "{{ record.id is defined }}"]]
    chains += [[remove(*pointers)] for pointers in [
        [["id"]], [["nested", "k"]], [["nested", "list", "*", "x"]], [["tags", "0"]], [["tags", "1"]], [["tags", "*"]], [["*"]], [["**"]], [["**", "x"]],
        [["a", "**"]], [["missing"], ["id"]], [["nested", "*"]], [["a", "b", "c", "1", "0"]], [["n*"]], [["a", "0"]], [["0"]], [["nested", "list", "-1"]],
        [["[ab]"]], [["a", "*", "b"]], [["a", "b", "c", "*"]],
    ]]
    chains += [[remove(["id"], condition=condition)] for condition in
               ["{{ property is none }}", "{{ property == 1 }}", "{{ property }}", "{{ property is string }}", "False"]]
    chains += [[{"type": "KeysToLower"}], [{"type": "KeysToSnakeCase"}], [{"type": "FlattenFields"}], [{"type": "FlattenFields", "flatten_lists": False}]]
    chains += [[{"type": "KeysReplace", "old": old, "new": new, "$parameters": {"p": "Key"}}] for old, new in
               [(" ", "_"), ("e", "{{ config['name'] }}"), ("{{ parameters['p'] }}", ""), ("{{ record.id }}", "x"), ("a", "{{ stream_slice.team }}")]]
    chains += [[{"type": "DpathFlattenFields", "field_path": path, **more}]
               for path in [["nested"], ["nested", "k"], ["nested", "*"], ["missing"], ["a", "b"], ["id"], ["empty"], ["{{ config['field'] }}"], ["x-y.z"]]
               for more in [{}, {"delete_origin_value": True}, {"replace_record": True},
                            {"key_transformation": {"type": "KeyTransformation", "prefix": "p_", "suffix": "_{{ config['name'] }}"}}]]
    chains += [[add(["one"], "{{ record.id }}"), add(["two"], "{{ record.one }}2"), remove(["one"])],
               [{"type": "FlattenFields"}, {"type": "KeysToSnakeCase"}, {"type": "KeysToLower"}]]
    for chain in chains:
        for record in RECORDS:
            select("transform", dpath(), record, transformations=chain)


def filters():
    conditions = [
        "{{ record.id == 1 }}", "{{ record['id'] }}", "{{ record.active }}", "", "True", "{{ record.n > 2 }}", "{{ record.get('n', 0) > 2 }}",
        "{{ 'a' in record.tags }}", "{{ record.tags | length > 1 }}", "{{ stream_slice.team == 7 }}", "{{ next_page_token.next_page_token == 't' }}",
        "{{ record.id in [1, 2] and not record.gone }}", "{{ record.name }}", "no", "0.0", "{{ record }}", "{{ record.items() | list | length > 3 }}",
        "{{ parameters['p'] == record.id }}", "{{ config['n'] == record.n }}", "{{ record['a b'] is defined }}", "{{ record.nested.k == 'v' }}",
        "{{ record.n is none }}", "{{ record.date >= '2024-01-01' }}",
    ]
    body = '[{"id":1,"n":3,"tags":["a","b"],"active":true,"name":"x"},{"id":2,"n":1,"tags":["c"],"active":false,"name":"","gone":true},' \
        '{"id":0,"n":null,"a b":1,"name":"False","nested":{"k":"v"},"date":"2024-05-06"},{"id":"1","tags":"a","active":"false","name":"no"}]'
    one = '{"id":1,"n":3,"tags":["a","b"],"active":true,"name":"x","nested":{},"date":"2023"}'
    for condition in conditions:
        record_filter = {"type": "RecordFilter", "condition": condition, "$parameters": {"p": 2}}
        for text in [body, one]:
            select("filter", dpath(), text, record_filter=record_filter)
            added = {"type": "AddFields", "fields": [{"type": "AddedFieldDefinition", "path": ["id"], "value": "{{ 1 }}"}]}
            for first in [True, False]:
                select("filter", dpath(), text, transformations=[added], record_filter=record_filter, transform_before_filtering=first)


def normalisation():
    values = [None, True, False, 0, 1, 5, -3, 1.0, 1.5, 1e20, 123456789012345678901, "", "x", "5", " 7 ", "1.5", "1e3", "true", "No", "y", "off", "nan",
              "1_000", "0x10", [], ["a", 1, None], {}, {"a": 1, "b": [True, None, 1.5, "q'uote"]}, "é\n", [[1]], "2024-05-06", 1e16, 1e-5, 0.1]
    types = ["string", "number", "integer", "boolean", "array", "object", "null", ["null", "string"], ["null", "number"], ["null", "integer"],
             ["boolean", "null"], ["string", "integer"], ["null", "array"], ["null", "string", "number"], ["string"], []]
    for kind in types:
        schema = {"type": "object", "properties": {"v": {"type": kind}}}
        for value in values:
            select("normalise", dpath(), [{"v": value}], schema=schema, schema_normalization="Default")
    nested = [
        {"properties": {"v": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "string"}}}}}},
        {"properties": {"v": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}}}},
        {"properties": {"v": {"type": "array", "items": {"type": "string"}}}}, {"properties": {"v": {"type": "array", "items": {"type": ["string"]}}}},
        {"properties": {"v": {"type": "array", "items": {"type": ["object", "null"]}}}}, {"properties": {"v": {"type": "array", "items": {}}}},
        {"properties": {"v": {"$ref": "#/definitions/d"}}, "definitions": {"d": {"type": "string"}}},
        {"properties": {"v": {"type": "object", "$ref": "#/definitions/d"}}, "definitions": {"d": {"properties": {"a": {"type": "string"}}}}},
        {"properties": {"v": {"oneOf": [{"type": "string"}]}}}, {"properties": {"v": {}}}, {"type": "string"}, {"additionalProperties": {"type": "string"}},
        {"properties": {"v": {"items": {"type": "array", "items": {"type": "number"}}}}},
    ]
    for schema in nested:
        for value in values:
            select("normalise", dpath(), [{"v": value, "other": 1}], schema=schema, schema_normalization="Default")
    select("normalise", dpath(), [{"v": 1}], schema=nested[0], schema_normalization="None")


def dynamic():
    made = []
    identifier = {"type": "SchemaTypeIdentifier", "schema_pointer": ["fields"], "key_pointer": ["name"], "type_pointer": ["kind"]}
    types_mapping = [
        {"type": "TypesMap", "target_type": "string", "current_type": "text"}, {"type": "TypesMap", "target_type": ["string", "number"], "current_type": "both"},
        {"type": "TypesMap", "target_type": "integer", "current_type": "num", "condition": "{{ raw_schema.size == 'int' }}"},
        {"type": "TypesMap", "target_type": "number", "current_type": "num"},
        {"type": "TypesMap", "target_type": {"type": "ComplexFieldType", "field_type": "array", "items": "integer"}, "current_type": "ints"},
        {"type": "TypesMap", "target_type": {"type": "ComplexFieldType", "field_type": "array",
                                             "items": {"type": "ComplexFieldType", "field_type": "array", "items": "string"}}, "current_type": "grid"},
    ]
    kinds = ["text", "both", "num", "ints", "grid", "string", "date", "timestamp_with_timezone", "timestamp_without_timezone", "time_with_timezone",
             "time_without_timezone", "boolean", "object", "array"]
    fields = [{"name": f"{kind} Field", "kind": kind} for kind in kinds] + [{"name": "small", "kind": "num", "size": "int"}, {"name": "untyped"}]
    records = [{"fields": fields}, {"fields": []}, {"fields": [{"name": "x", "kind": "unknown"}]}, {"fields": [{"kind": "text"}]}, {"other": 1},
               {"fields": {"a": {"name": "n", "kind": "text"}}}, None]
    for record in records:
        for more in [{}, {"schema_transformations": [{"type": "KeysToSnakeCase"}]},
                     {"schema_filter": {"type": "RecordFilter", "condition": "{{ record.small is not defined }}"}},
                     {"schema_transformations": [{"type": "RemoveFields", "field_pointers": [["small"]]}]}]:
            loader = {"type": "DynamicSchemaLoader", "schema_type_identifier": identifier | {"types_mapping": types_mapping}, **more}
            retriever = {"type": "SimpleRetriever", "requester": {"type": "HttpRequester", "url_base": "http://api.test"},
                         "record_selector": {"type": "RecordSelector", "extractor": dpath()}}
            case = {"loader": loader, "record": record}
            try:
                built = build(loader | {"retriever": retriever})

                class Given:
                    def read_records(self, schema, record=record):
                        return iter([record] if record is not None else [])

                built.retriever = Given()
                case["schema"] = built.get_json_schema()
            except Exception as error:
                case["schema"] = "!"
                case["error"] = type(error).__name__
            made.append(case)
    return made


extractors()
decoders()
transformations()
filters()
normalisation()
place = pathlib.Path(__file__).parents[3] / "connectors/src/source/declarative/fixtures/records.json"
written = {"config": CONFIG, "slice": SLICE, "cases": CASES, "dynamic": dynamic()}
lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in CASES)
rest = ",\n".join(json.dumps(case, ensure_ascii=False) for case in written["dynamic"])
place.write_text(
    f'{{"config": {json.dumps(CONFIG)}, "slice": {json.dumps(SLICE)}, "cases": [\n{lines}\n], "dynamic": [\n{rest}\n]}}\n'
)
print(len(CASES), len(written["dynamic"]), sum(case["records"] == "!" for case in CASES))
