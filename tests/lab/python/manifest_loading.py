"""Loads manifests of ours and reads and writes dates by airbyte-cdk, and prints what came out, as one JSON document.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1:
    python manifest_loading.py > connectors/src/source/declarative/fixtures/loading.json
The tests `loads_as_the_reference` and `dates_are_the_reference_s` compare.
"""

import datetime
import importlib.metadata
import json

import yaml
from airbyte_cdk.sources.declarative.datetime.datetime_parser import DatetimeParser
from airbyte_cdk.sources.declarative.parsers.manifest_component_transformer import ManifestComponentTransformer
from airbyte_cdk.sources.declarative.parsers.manifest_reference_resolver import ManifestReferenceResolver

SCALARS = """yes no on off Yes NO y n true True TRUE tRue null Null ~ NULL none 010 0o10 0x1F 0b101 1_000 +5 -5 1e5 1.5e5 1.5e+5 1. .5 -.5 +.5 .inf -.INF .nan 12:30 1:30:00 12:60 190:20:30
08 09 0 00 1__0 0x 0b 1.2.3 1,000 5% abc 'it''s' "tab\\tq" "5" '5' "\\u00e9" !!str 5 !!int 5 !!float 5 1.0 0.10 1_0.5 - 123456789012345678901234567890 0777 0888 +0x1F -0b11 <<x =""".split(" ")

MANIFESTS = [
    "a: " + "\nb: ".join([]) + "1\n" + "".join(f"k{place}: {scalar}\n" for place, scalar in enumerate(" ".join(SCALARS).split()) if scalar not in ("!!str", "!!int", "!!float", "-", "=")),
    "s: !!str 5\ni: !!int 5\nf: !!float 5\n1: one\nfalse: two\n2.5: three\nnull: four\nx: 1\nx: 2\n",
    "base: &b {a: 1, b: 2}\nother: &o\n  b: 3\n  c: 4\nm:\n  x: 0\n  <<: *b\n  b: 9\nn:\n  <<: [*o, *b]\n  y: *b\nt: |\n  line 1\n  line 2\nu: >-\n  folded\n  text\nv: [1, {a: b}, 'c']\nw: ''\n",
    """
definitions:
  base: {type: HttpRequester, url_base: "https://x.test", http_method: GET}
  nested: {deep: {list: [1, {x: "#/definitions/base/url_base"}]}}
  nested/deep: "slash"
  ref: "#/definitions/nested/deep/list/1/x"
  "a/b/c": {d: 5}
r1: {$ref: "#/definitions/base", http_method: POST, extra: 1}
r2: "#/definitions/nested"
r3: "#/definitions/nested/deep"
r4: "#/definitions/nested/deep/list/0"
r5: "#/definitions/a/b/c/d"
r6: [ "#/definitions/ref", "# /not a ref", "#nor this" ]
r7: {$ref: "#/definitions/nested/deep/list/1", y: 2}
r8: {$ref: "#/definitions/ref", ignored: true}
r9: {$ref: {a: 1, b: 2}, b: 3}
config_overrides: {x: "#/definitions/base", y: {z: "#/nope"}}
deep: {config_overrides: ["#/nope"]}
""",
    "a: '#/b'\nb: '#/a'\n",
    "a: '#/nope'\n",
    "a: '#/'\n",
    "a: {$ref: '#/a/b'}\nb: 1\n",
    "a: [1, '#/a']\n",
    "a: {b: 1}\nc: '#/a/b/d'\n",
    """
version: 1.0.0
type: DeclarativeSource
definitions:
  requester: {type: HttpRequester, url_base: "https://x.test", path: "{{ parameters['path'] }}", authenticator: {class_name: my.Auth}, error_handler: {response_filters: [{action: IGNORE}, {type: HttpResponseFilter, action: FAIL}]}}
  retriever: {requester: "#/definitions/requester", record_selector: {extractor: {field_path: []}, record_filter: {condition: "x"}}, paginator: {type: DefaultPaginator, page_size_option: {inject_into: header, field_name: x}, pagination_strategy: {class_name: my.Page}}}
  schema: {type: InlineSchemaLoader, schema: {type: object, $parameters: {lost: 1}, properties: {type: {type: string}, name: {type: [string, "null"]}}}}
  stream: {type: DeclarativeStream, retriever: "#/definitions/retriever", schema_loader: "#/definitions/schema", $parameters: {base: 1, name: base_name}}
streams:
  - $ref: "#/definitions/stream"
    $parameters: {name: orders, path: /orders, primary_key: id, zero: 0}
  - $ref: "#/definitions/stream"
    name: ""
    primary_key: 0
    $parameters: {name: users, path: /users, retriever: {odd: true}, extractor: {type: DpathExtractor, field_path: [p]}}
    transformations:
      - class_name: my.Transformation
      - {type: AddFields, fields: [{path: [a], value: "b", $parameters: {path: inner}}]}
    incremental_sync: {type: DatetimeBasedCursor, start_datetime: {datetime: "2020"}, end_datetime: "now", start_time_option: {inject_into: header, field_name: f}}
  - type: DeclarativeStream
    $parameters: {empty: "", off: false, list: [], name: third}
    retriever:
      type: SimpleRetriever
      partition_router: {type: SubstreamPartitionRouter, parent_stream_configs: [{stream: "#/definitions/stream", parent_key: id, request_option: {inject_into: header, field_name: f}}]}
      requester: {type: HttpRequester, request_parameters: {fields: {type: QueryProperties, property_list: [a]}, plain: "x", nested: {k: {type: QueryProperties}}}, request_headers: {$parameters: {h: 1}, a: b}}
check: {stream_names: [orders]}
spec: {connection_specification: {type: object, properties: {}}, $parameters: {x: 1}}
dynamic_streams:
  - {type: DynamicDeclarativeStream, stream_template: {retriever: {requester: {url_base: u}}}, components_resolver: {type: HttpComponentsResolver, retriever: {}, components_mapping: [{field_path: [a], value: b}]}}
""",
    "streams: [{$parameters: [1]}]\n",
    "streams: []\ntype: {a: 1}\n",
    "streams: [{type: DeclarativeStream, $parameters: {name: a, retriever: null, requester: false}, retriever: {requester: {$parameters: {name: b}}}, requester: {}, other: {type: null, a: {type: X}}, more: [[{type: Y}], {type: Z}]}]\n",
]

FORMATS = ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d", "%s", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S", "%ms", "%Y-%m-%dT%H:%M:%S",
           "%Y-%m-%d %H:%M:%S.%f+00:00", "%Y-%m-%dT%H:%M:%S+00:00", "%Y-%m-%dT%H:%M:%S+0000", "%Y%m%d", "%Y-%m-%dT%H:%M:%S.%_msZ", "%Y%m%d%H", "%Y%m%dT%H", "%Y-%m", "%Y-%m-%d %H:%M:%S %z",
           "%Y-%m-%dT%H:%M:%S-12:00", "created_on:gt:%Y-%m-%d", "lastmodifieddate:[%Y-%m-%dT%H:%M:%S..]", "%epoch_microseconds", "%s_as_float", "%d/%m/%Y %H:%M", "%d %b %Y", "%A, %d %B %Y",
           "%I:%M %p %d.%m.%y", "%j %Y", "%Y-W%W-%w", "%Y-%U-%a", "%G-W%V-%u", "%c", "%x %X", "%%Y %Y", "%y%m%d", "%Y-%m-%dT%H:%M:%S %Z", "%s.%f", "%Y %Y", "%e", "%Y-%m-%dT%T", "%d%m", "%H%M%S", "%-d", "%", "%f", "", "%ms_%Y"]
TEXTS = ["2024-02-29T13:05:09Z", "2024-02-29t13:05:09z", "2024-02-29T13:05:09.123Z", "2024-02-29T13:05:09.123456Z", "2024-02-29T13:05:09.1234567Z", "2024-02-29", "2024-2-9", "2023-02-29", "1709211909", " 1709211909 ",
         "1709211909.5", "-1", "1_000", "0", "1709211909123", "1709211909123456", "99999999999999999", "1e9", "nan", "inf", "2024-02-29T13:05:09.123+0200", "2024-02-29T13:05:09.123+02:00", "2024-02-29T13:05:09+02:00",
         "2024-02-29T13:05:09-0330", "2024-02-29T13:05:09+02", "2024-02-29T13:05:09+02:00:30", "2024-02-29T13:05:09+02:00:30.5", "2024-02-29T13:05:09+02:0030", "2024-02-29T13:05:09Z ", "2024-02-29 13:05:09", "2024-02-29  13:05:09",
         "2024-02-29 13:05:09.5+00:00", "2024-02-29T13:05:09+00:00", "2024-02-29T13:05:09+0000", "20240229", "2024022913", "20240229T13", "2024-02", "2024-02-29 13:05:09 +0100", "2024-02-29T13:05:09-12:00", "created_on:gt:2024-02-29",
         "CREATED_ON:GT:2024-02-29", "lastmodifieddate:[2024-02-29T13:05:09..]", "29/02/2024 13:05", "29 Feb 2024", "29 february 2024", "Thursday, 29 February 2024", "01:05 PM 29.02.24", "12:05 AM 29.02.69", "060 2024", "60 2024", "366 2023",
         "2024-W09-4", "2024-09-Thu", "2024-W53-1", "2023-W00-0", "Thu Feb 29 13:05:09 2024", "02/29/24 13:05:09", "%Y 2024", "240229", "2024-02-29T13:05:09 UTC", "2024-02-29T13:05:09 CET", "1112", "112", "130509", "13059", "2024-02-29T24:00:00Z",
         "2024-02-29T13:05:60Z", "2024-02-29T13:05:61Z", "2024-13-01", "0000-01-01", "0001-01-01", "9999-12-31", "", "x", "2024", "1 2", "31 12", "5", "123456", "2024-02-29T13:05:09.Z", " 2024-02-29", "2024- 2- 9", "2024-02- 9"]
MOMENTS = ["2024-02-29T13:05:09.123456+00:00", "2024-02-29T13:05:09+00:00", "1969-12-31T23:59:58.500000+00:00", "2024-02-29T13:05:09.001000+02:00", "0999-01-02T03:04:05+00:00", "9999-12-31T23:59:59.999999+00:00", "2022-07-22T16:03:35.223235+00:00",
           "2024-12-30T00:00:00.000123-03:30", "2021-01-03T12:00:00+00:00"]


def load(text):
    try:
        manifest = yaml.load(text, Loader=yaml.CSafeLoader)
        manifest.setdefault("type", "DeclarativeSource")
        return ManifestComponentTransformer().propagate_types_and_parameters("", ManifestReferenceResolver().preprocess_manifest(manifest), {})
    except Exception as error:
        return {"!": type(error).__name__}


def plain(value):
    """JSON without what JSON has no word for."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return "float " + repr(value)
    return value


def read(text, format):
    try:
        return DatetimeParser().parse(text, format).isoformat()
    except Exception as error:
        return None


def write(moment, format):
    try:
        return DatetimeParser().format(datetime.datetime.fromisoformat(moment), format)
    except Exception as error:
        return None


def main():
    lines = {
        "manifests": [[text, plain(load(text))] for text in MANIFESTS],
        "read": [[format, {text: found for text in TEXTS if (found := read(text, format)) is not None}] for format in FORMATS],
        "written": [[format, {moment: write(moment, format) for moment in MOMENTS}] for format in FORMATS],
    }
    print(json.dumps({"airbyte-cdk": importlib.metadata.version("airbyte-cdk"), "texts": TEXTS})[:-1], end="")
    for key, rows in lines.items():
        print(f',\n"{key}": [\n' + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]", end="")
    print("}")


main()
