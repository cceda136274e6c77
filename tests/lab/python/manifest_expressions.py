"""Evaluates expressions of manifests by airbyte-cdk and prints what came out, as one JSON document.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1:
    python manifest_expressions.py > connectors/src/source/declarative/fixtures/expressions.json
The test `equals_the_reference` evaluates the same expressions and compares.
"""

import ast
import datetime as real
import importlib.metadata
import json
import random
import sys
import warnings

from airbyte_cdk.sources.declarative.interpolation import macros
from airbyte_cdk.sources.declarative.interpolation.interpolated_boolean import InterpolatedBoolean
from airbyte_cdk.sources.declarative.interpolation.interpolated_string import InterpolatedString
from airbyte_cdk.sources.declarative.interpolation.jinja import JinjaInterpolation
from airbyte_cdk.sources.types import StreamSlice

warnings.simplefilter("ignore")
NOW = real.datetime(2024, 2, 29, 13, 5, 9, 123456, tzinfo=real.timezone.utc)


class Meta(type):
    def __instancecheck__(cls, instance):
        return isinstance(instance, real.datetime)


class Frozen(metaclass=Meta):
    """`datetime.datetime`, but for the time."""

    @staticmethod
    def now(tz=None):
        return NOW.astimezone(tz) if tz else NOW.replace(tzinfo=None)

    strptime = real.datetime.strptime


class Shim:
    datetime = Frozen
    timezone, timedelta, date = real.timezone, real.timedelta, real.date


macros.datetime = Shim

CONFIG = {
    "start_date": "2024-01-01T00:00:00Z", "day": "2023-12-31", "key": "k-1", "num": 5, "big": 12345678901234567890123,
    "neg": -7, "ratio": 2.5, "flag": True, "off": False, "nothing": None, "empty": "", "list": [3, 1, 2],
    "words": ["b", "A", "c", "a"], "nested": {"a": {"b": ["x", {"c": 1}]}}, "credentials": {"auth_type": "oauth", "token": "t'ok\"en"},
    "ids": "1,2,3", "unicode": "Zoë ß ﬁ 日本", "html": "<a href='x'>&</a>", "json": "{\"a\": [1, true]}", "zeros": "007", "spaces": "  x y  ",
}
RECORD = {
    "id": 42, "name": "Ada Lovelace", "price": 19.99, "qty": 3, "ok": True, "none": None, "tags": ["x", "y", "x"],
    "created": 1704067200, "updated_at": "2024-02-03T04:05:06.789Z", "items": [{"id": 1, "n": "one"}, {"id": 2, "n": "two"}, {"id": 1, "n": "uno"}],
    "address": {"city": "Köln", "zip": "04109", "geo": {"lat": 50.9, "lon": 6.9}}, "keys": "shadowed", "text": "5", "neg": -3,
    "when": "2024-03-10 11:12:13", "pct": "12.5%", "email": "Ada@Example.COM", "big": 9223372036854775808, "zero": 0, "e": 1e21,
}
RESPONSE = {"next": {"page": 3, "url": "https://x.test/a?page=3&b=c d"}, "data": [{"id": 7}, {"id": 9}], "has_more": False, "meta": {}, "total": 55}
SLICE = dict(partition={"team": 10, "parent_slice": {}}, cursor_slice={"start_time": "2024-01-01", "end_time": "2024-01-31"}, extra_fields={"title": "T"})
PARAMETERS = {"name": "orders", "path": "/v1/{id}", "n": 3}


def copy(value):
    """Templates may change what they are handed."""
    return json.loads(json.dumps(value))


def context():
    return dict(record=copy(RECORD), response=copy(RESPONSE), stream_slice=StreamSlice(**copy(SLICE)), next_page_token=None,
                last_record=copy(RECORD["items"][1]), headers={"link": "<u>; rel=next", "X-Total": "12"}, last_page_size=2)


def encode(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": repr(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return {"t": [encode(item) for item in value]}
    if isinstance(value, (set, frozenset)):
        return {"s": sorted((encode(item) for item in value), key=json.dumps)}
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, dict):
        return {"d": [[encode(key), encode(item)] for key, item in value.items()]}
    if value is ...:
        return {"e": 1}
    return {"?": type(value).__name__}


def attempt(work):
    try:
        return encode(work())
    except RecursionError:
        raise
    except Exception as error:
        return {"!": type(error).__name__}


def evaluate(template):
    string = attempt(lambda: InterpolatedString(template, parameters=copy(PARAMETERS)).eval(copy(CONFIG), **context()))
    truth = attempt(lambda: InterpolatedBoolean(template, parameters=copy(PARAMETERS)).eval(copy(CONFIG), **context()))
    typed = attempt(lambda: JinjaInterpolation().eval(template, copy(CONFIG), valid_types=(str, list), parameters=copy(PARAMETERS), **context()))
    return [template, string, truth, typed]


def literals():
    texts = """5|-5|+5|--5|1.10|1e5|1E5|1e400|-1e400|0x10|0X1F|0o17|0b101|1_000|1__0|1_|_1|007|00|0_0|0_7|007.5|1.|.5|.|..|...|1.e5|1e|1_0.0_1|1,2|1,|,|1 ,2|(1)|(1,)|()|(,)|[1,2]|[1,]|[,]|[]|[1,,2]|{}|{1}|{1,2,1}|{1,1.0,True}|{'a':1}|{"a":1}|{"a":true}|{'a':1,}|{1:2,1.0:3}|{[]:1}|{(1,[]):2}|{'a':1,2}|None|True|False|true|null|none|nan|inf|'abc'|"abc"|'it''s'|'a' 'b'|'a'"b"|u'x'|b'x'|rb'\\x'|Rb'a'|r'a\\n'|f'x'|rf'x'|ur'x'|b'é'|b'a' 'b'|'''x'''|\"\"\"y\"\"\"|''|""| 5|5 |  5  |\t5|5\t|5 # c|# c|#fff|5;|'\\n'|'\\t\\\\'|'\\x41'|'\\x4'|'\\u00e9'|'\\U0001F600'|'\\101'|'\\d'|'\\N{BULLET}'|2024-10-10|12:30|12:30:00|1-2|1+2|1+2j|2j|-1j|[1j]|1 2|1if 1else 2|not 1|1 or 2|(1 or 2)|set()|set([])|set( )|{*()}|[*[1]]|{**{}}|a|a.b|a[0]|a()|print(1)|True,False|True False|TRUE|NoneType|None,|[None, True, 1.5, 'x', [1, (2, 3)], {'k': {'n': None}}]|[1\n,2]|(1\n)|5\n6|'a\nb'|'a\\\nb'|'''a\nb'''|1\\\n|-0|-0.0|0.1|1e-7|123456789012345678901234567890|-9223372036854775808|9223372036854775808|0xffffffffffffffffff|1.7976931348623157e309|5L|5f|1'a'|'a'1|[1 2]|[1)|(1]|[|]|{|}|'|"|'a|"a'|a'|1/2|10%|$5|5€|５|٣|é|日本|\u00a05|[1,2|{'a'|{'a':|{'a':}|{:1}|((((1))))|[[[[]]]]|-(5)|-(-5)|- 5|-'a'|-True|~1|+-5|lambda: 0|__import__('os')|"a" b|'a',|['a', 'b']|[a, b]|["a","b"]|{"a":"b","c":[1,2.5,null]}|{'a': "it's"}|2.50|1e1_0|0b2|0o8|0xg|9e-400|3.14159265358979323846|100000000000000000000000.0|1e22|1e23|01e1|0e0|0x|1__2.3|"\\ud83d\\ude00"|b"\\xff\\101"|b'\\u0041'|...,|[...]|Ellipsis|1.5.2|192.168.0.1|+1 555|1_000.5|(1,2)|(1,2,)|((1,2),3)|1,(2,3)|'a\\'|'\\'|True.x|None or 1|-.5|+.5e1|5 .real|"a" # b"""
    for text in texts.split("|"):
        yield text
    for depth in (1, 50, 100, 199, 200, 201):
        yield "[" * depth + "]" * depth
        yield "(" * depth + "1" + ")" * depth
    yield "9" * 4300
    yield "9" * 4301


ATOMS = ["1", "0", "-3", "2.5", "0.1", "'a'", "'5'", "''", "true", "false", "none", "[1, 2]", "[]", "{'a': 1}", "{}", "(1, 2)", "record.id",
         "record.name", "record.none", "record.nope", "record.tags", "record.items", "record.address", "config.big", "record['items']",
         "response.data", "now_utc()", "today_utc()", "duration('P1D')", "duration('P1M')", "duration('PT1.5S')", "str_to_datetime('2024-01-31')",
         "config.unicode", "stream_slice", "record.price", "1e20", "10", "config.flag", "parameters.n", "config.html", "{1, 2}" if False else "[true, none]"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]

FILTERS = """abs|attr('city')|attr('items')|base64binascii_decode|base64decode|base64encode|batch(2)|list|capitalize|center(9)|count|default('d')|default('d', true)|d|d('x', boolean=true)|dictsort|dictsort(by='value')|dictsort(reverse=true)|e|escape|forceescape|filesizeformat|filesizeformat(true)|first|last|float|float(7)|format(1)|format('x', 2)|groupby('id')|hash|hash('sha1')|hash('sha256', 'salt')|hash('sha512')|hash(salt='s')|hash('nope')|hmac('k')|hmac('k', 'sha256')|hmac('k', 'md5')|indent|indent(2, true)|int|int(9)|int(base=16)|int(0, 8)|items|join|join(',')|join(', ', 'id')|join(1)|length|list|lower|map('upper')|map('int')|map(attribute='id')|map(attribute='n.0')|map(attribute='zz', default=0)|max|min|max(attribute='id')|regex_search('a(.)')|regex_search('(?i)ADA(?P<x> )')|regex_search('\\\\d+')|regex_search('(\\\\d)(x)?')|regex_search('(?<=A)d(a)')|regex_replace('[aeiou]', '_')|regex_replace('(.)a', '\\\\1-')|reject|rejectattr('id', 'eq', 1)|replace('a', 'b')|replace('a', 'bb', 1)|replace(1, 2)|reverse|round|round(1)|round(-1)|round(1, 'ceil')|round(0, 'floor')|safe|select|select('odd')|select('gt', 1)|selectattr('id')|selectattr('id', 'eq', 1)|slice(2)|sort|sort(reverse=true)|sort(attribute='id')|sort(case_sensitive=true)|string|striptags|sum|sum(attribute='id')|sum(start=10)|title|tojson|tojson(2)|trim|trim('x')|truncate(5)|truncate(5, true, '!')|unique|unique(attribute='id')|upper|urlencode|wordcount|nosuch"""
SUBJECTS = ["1", "-7", "2.567", "'abc'", "'Ada x'", "''", "'12'", "' 12.7 '", "'0x1F'", "true", "none", "[3, 1, 2]", "[]", "['b', 'A']", "{'b': 1, 'a': 2}",
            "(1, 2)", "record.name", "record.tags", "record['items']", "record.nope", "config.unicode", "config.html", "record.address", "now_utc()",
            "config.big", "[[1, 2], [3]]", "'%s-%s'", "record.price", "'YWJj'", "stream_slice"]

TEXTS = ["'Hello World'", "'a,b,,c'", "'  pad '", "''", "'éß日'", "record.name", "'x=1;y=2'", "'TestCase'", "'line1\\nline2\\r\\n'"]
TEXT_METHODS = """capitalize()|casefold()|center(11)|center(12, '*')|count('l')|count('')|encode()|endswith('d')|endswith(('x', 'd'))|expandtabs()|find('o')|find('o', 5)|find('zz')|index('zz')|format()|isalnum()|isalpha()|isascii()|isdecimal()|isdigit()|islower()|isnumeric()|isspace()|istitle()|isupper()|isidentifier()|isprintable()|join(['1', '2'])|join([1])|join('abc')|join([])|ljust(9, '.')|lower()|lstrip()|lstrip('H')|partition(',')|partition('')|removeprefix('H')|removesuffix('d')|replace('l', 'L')|replace('l', 'L', 1)|replace('', '-')|rfind('o')|rindex('o')|rjust(12)|rpartition('o')|rsplit(',', 1)|rsplit()|rsplit(none, 1)|rstrip()|split()|split(',')|split(',', 1)|split(none, 1)|split('')|split(sep=',')|split(',')[0]|split(',')[-1]|split(',')[9]|splitlines()|splitlines(true)|startswith('H')|startswith('e', 1)|strip()|strip(' Hd')|swapcase()|title()|upper()|zfill(14)|nope()|nope|upper|__class__|__class__.x|split(1)|startswith(1)|lower(1)"""
LISTS = ["[3, 1, 2, 1]", "record.tags", "[]", "(1, 2, 1)", "['b', 'a']", "record['items']"]
LIST_METHODS = """append(1)|copy()|count(1)|index(1)|index(99)|pop()|pop(0)|pop(9)|insert(0, 9)|remove(1)|remove(99)|reverse()|sort()|sort(reverse=true)|extend([7])|extend('ab')|clear()|nope"""
MAPS = ["{'a': 1, 'b': none}", "record.address", "{}", "stream_slice", "config", "response"]
MAP_METHODS = """get('a')|get('city')|get('zz')|get('zz', 5)|get('zz', {}).get('y', 'd')|get(key='a')|get('team')|get()|get([])|items()|items()|list|keys()|list|values()|list|pop('a')|pop('zz')|pop('zz', 1)|setdefault('n', 1)|update({'q': 1})|copy()|nope|city|a|partition|cursor_slice|extra_fields|extra_fields.title|start_time|popitem()|clear()"""
DATES = ["now_utc()", "today_utc()", "str_to_datetime('2024-01-31T10:20:30.5+02:00')", "str_to_datetime('0999-12-31')", "duration('P1DT2H')", "duration('-P1D')", "duration('P1Y2M')", "(now_utc() - duration('P1M'))", "(now_utc() - str_to_datetime('2023-01-01'))", "today_utc() - duration('P1W')"]
DATE_METHODS = """strftime('%Y-%m-%d')|strftime('%Y-%m-%dT%H:%M:%S.%fZ')|strftime('%s')|strftime('%ms')|strftime('%_ms')|strftime('%epoch_microseconds')|strftime('%a %A %b %B %c %d %D %e %F %g %G %h %H %I %j %k %l %m %M %n %p %P %r %R %S %t %T %u %U %V %w %W %x %X %y %Y %z %Z %%')|strftime('%-d %_d %05d %^a %#a %#p %10Y %Q %')|strftime('é %Y')|strftime(1)|strftime()|isoformat()|isoformat(' ')|isoformat(timespec='seconds')|isoformat(sep=' ', timespec='milliseconds')|timestamp()|timestamp()|int|date()|time()|year|month|day|hour|minute|second|microsecond|tzinfo|weekday()|isoweekday()|isocalendar()|toordinal()|ctime()|replace(day=1)|replace(hour=0, minute=0, second=0, microsecond=0).isoformat()|replace(tzinfo=none)|replace(day=99)|date().isoformat()|days|seconds|microseconds|total_seconds()|years|months|utcoffset()|tzname()|strptime('2024-05-06', '%Y-%m-%d')|strptime('x', '%Y')|fromtimestamp(1700000000)|utcfromtimestamp(1700000000.25)|fromisoformat('2024-05-06')|astimezone()|nope|timetuple"""
MACROS = """now_utc()|today_utc()|now_utc(1)|today_with_timezone('Pacific/Tarawa')|today_with_timezone('America/Los_Angeles')|today_with_timezone('Nope/Zone')|timestamp(1658505815.223235)|timestamp('2024-01-01')|timestamp('2024-01-01T00:00:00.5Z')|timestamp('x')|timestamp(none)|timestamp(true)|timestamp(record.nope)|max(1, 2)|max([3, 9, 2])|max('b', 'a')|max(1)|max()|max([])|max(1, 'a')|max(1.5, 1)|min(1, 2)|min([3, 9, 2])|min(none, 1)|min(record.nope, 1)|day_delta(0)|day_delta(-7)|day_delta(1, '%Y-%m-%d')|day_delta(1, format='%s')|day_delta(1.5)|day_delta('1')|day_delta(99999999)|duration('P1D')|duration('P1M')|duration('P1Y')|duration('PT0.000001S')|duration('P1W')|duration('P1DT1H1M1.5S')|duration('P0D')|duration('PT0S')|duration('PT')|duration('P')|duration('1D')|duration('P1,5D')|duration('-PT1H')|duration('P0.5Y')|duration('P1H')|duration('PT1D')|duration(1)|duration('p1d')|format_datetime('2024-01-01', '%Y')|format_datetime('2024-01-01T10:00:00+02:00', '%Y-%m-%dT%H:%M:%S%z')|format_datetime(1704067200, '%Y-%m-%d')|format_datetime(1704067200123, '%Y-%m-%dT%H:%M:%S.%fZ', '%ms')|format_datetime('1704067200', '%Y', '%s')|format_datetime('2024-01-02 03:04:05', '%s', '%Y-%m-%d %H:%M:%S')|format_datetime('2024-01-02', '%ms')|format_datetime('2024-01-02T03:04:05.678Z', '%ms')|format_datetime('2024-01-02T03:04:05.678Z', '%s_as_float')|format_datetime('2024-01-02T03:04:05.678Z', '%epoch_microseconds')|format_datetime('2024-01-02T03:04:05.678Z', '%Y-%m-%dT%H:%M:%S.%_msZ')|format_datetime(now_utc(), '%s')|format_datetime(now_utc(), '%ms')|format_datetime(today_utc(), '%Y')|format_datetime(none, '%Y')|format_datetime('x', '%Y')|format_datetime(record.nope, '%Y')|format_datetime('01/02/2024', '%Y-%m-%d', '%m/%d/%Y')|format_datetime(true, '%Y')|format_datetime(1.5, '%Y')|format_datetime('2024-01-01', format='%d', input_format=none)|str_to_datetime('2022-01-14')|str_to_datetime('2022-01-01T13:45:30+00:00')|str_to_datetime('2022-01-01T13:45:30.1234567Z')|str_to_datetime('2022-01-01 13:45')|str_to_datetime('20220114')|str_to_datetime('20220114T101112')|str_to_datetime('2022-W02-3')|str_to_datetime('2022W02')|str_to_datetime('2022-014')|str_to_datetime('2022')|str_to_datetime('2022-01')|str_to_datetime('2022-1-1')|str_to_datetime('2022-01-14T24:00')|str_to_datetime('2022-01-14T24:01')|str_to_datetime('2022-01-14T10:11:12,5-0330')|str_to_datetime('2022-01-14T10+01')|str_to_datetime('2022-13-01')|str_to_datetime('2022-02-30')|str_to_datetime('Jan 1 2022')|str_to_datetime('')|str_to_datetime(5)|str_to_datetime('0001-01-01T00:00:00+05:00')|str_to_datetime('2022-01-14T10:11:12 Z')|str_to_datetime('2022-01-14T')|str_to_datetime('2022-01-14T10:11:12.')|sanitize_url('https://example.com/path?query=value&x=a b+c')|sanitize_url('ä~-_.')|sanitize_url(5)|camel_case_to_snake_case('CamelCaseID')|camel_case_to_snake_case('')|camel_case_to_snake_case('ÄÖx')|generate_uuid() | length|dict(a=1)|dict({'x': 2}, b=3)|dict([('a', 1)])|namespace(a=1).a|range(3)|lipsum|cycler('a', 'b').next()|joiner(', ')()|nope()|nope"""
TESTS = ["odd", "even", "divisibleby 3", "divisibleby(0)", "defined", "undefined", "none", "boolean", "false", "true", "integer", "float", "lower", "upper", "string", "mapping",
         "number", "sequence", "iterable", "callable", "sameas none", "sameas(1)", "escaped", "in [1, 'abc']", "eq 1", "ne 1", "gt 0", "lt 'b'", "ge 1", "le 2", "not none", "not defined", "filter", "test", "nosuch", "== 1", "equalto(1)"]


def split(text):
    return text.split("|")


def split_filters(text):
    """Filters have no bar inside but those of a pipe that is part of the step."""
    return [part for part in text.split("|") if part]


HAND = r"""{{ config['start_date'] }}
{{ config.start_date }}
{{ config['nope'] }}
{{ config.nope }}
{{ config.nope.deeper }}
{{ config['nope']['deeper'] }}
{{ config.get('nope', {}).get('x', 'dflt') }}
{{ config['credentials']['token'] }}
x{{ config.num }}y
{{ config.num }}{{ config.num }}
{{ config.num }} {{ config.num }}
 {{ config.num }}
{{ config.num }}
{{ config.zeros }}
'{{ config.num }}'
[{{ config.num }}, {{ config.neg }}]
{"a": {{ config.num }}, "b": "{{ config.key }}"}
{'a': {{ config.flag }}}
{"a": {{ config.flag | lower }}}
{{ record }}
{{ record['items'] }}
{{ record.items }}
{{ record.keys }}
{{ record['keys'] }}
{{ record.address.geo.lat }}
{{ record['address']['geo']['lon'] + 1 }}
{{ record.tags[0] }}
{{ record.tags[-1] }}
{{ record.tags[9] }}
{{ record.tags.0 }}
{{ record.tags[1:] }}
{{ record.tags[::-1] }}
{{ record.name[0:3] }}
{{ record.name[-8:] }}
{{ record.name[::2] }}
{{ record.name[::0] }}
{{ record.name[:-1] }}
{{ config.unicode[2:6] }}
{{ config.unicode[::-1] }}
{{ record.id[0] }}
{{ record.id['x'] }}
{{ record.none.x }}
{{ record.none.x.y }}
{{ record.tags['a'] }}
{{ record.tags[1:'a'] }}
{{ record[1] }}
{{ record[none] }}
{{ record[[]] }}
{{ record['a', 'b'] }}
{{ record['tags', 0] }}
{{ 'a' 'b' }}
{{ 1_000 }}
{{ 0x1F + 0o17 + 0b11 }}
{{ 1.5e3 }}
{{ 1e3 }}
{{ 007 }}
{{ 1.0 }}
{{ 12345678901234567890 * 10 }}
{{ 2 ** 100 }}
{{ 2 ** -1 }}
{{ -2 ** 2 }}
{{ 2 ** 3 ** 2 }}
{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 // -2 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }}
{{ 7 / 2 }} {{ 6 / 2 }} {{ 1 / 3 }}
{{ 10 ** 30 / 10 ** 29 }} {{ (10 ** 400) / (10 ** 399) }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.5 // 0 }}
{{ 0.1 + 0.2 }}
{{ 1e16 }} {{ 1e15 }} {{ 1e-5 }} {{ 123456789.123456789 }}
{{ 'a' * 3 }} {{ 3 * 'ab' }} {{ [1] * 2 }} {{ 'a' * -1 }}
{{ [1] + [2] }} {{ (1,) + (2,) }}
{{ [1] + (2,) }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ none + 1 }}
{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == 1.0 == true }}
{{ 'a' < 'B' }} {{ [1, 2] < [1, 3] }} {{ (1, 2) < (1,) }}
{{ 1 < 'a' }}
{{ none < 1 }}
{{ not 1 }} {{ not [] }} {{ not none and 5 }}
{{ 0 or 'x' }} {{ '' or [] or none }} {{ 1 and 2 and 3 }} {{ 1 and 0 and x_unknown }}
{{ 'yes' if config.flag else 'no' }}
{{ 'yes' if config.off else 'no' }}
{{ 'yes' if config.off }}
{{ ('yes' if config.off) | default('d') }}
{{ 'a' if config.off else 'b' if config.flag else 'c' }}
{{ 1, 2 }}
{{ (1,) }}
{{ () }}
{{ {} }}
{{ {'a': 1, 'a': 2} }}
{{ {1: 'x', 'y': 2.0, none: true} }}
{{ {'a': [1, {'b': none}]} }}
{{ {[]: 1} }}
{{ [none, true, 'it\'s', "q\"", 1.0] }}
{{ 'tab\tnew\nx' }}
{{ ['tab\tnew\nx\\ é 日 \x07 \u200b'] }}
{{ "it's" }} {{ ["it's", 'a"b', "a\"b'c"] }}
{{ now_utc() }}
{{ [now_utc(), today_utc(), duration('P1D'), duration('P1M'), str_to_datetime('2024-01-01')] }}
{{ now_utc() - duration('P1D') }}
{{ now_utc() - duration('P1M') }}
{{ str_to_datetime('2024-03-31') - duration('P1M') }}
{{ str_to_datetime('2024-01-31') + duration('P1M') }}
{{ str_to_datetime('2024-02-29') + duration('P1Y') }}
{{ str_to_datetime('2024-01-31') + duration('P1M1DT1H') }}
{{ today_utc() + duration('P1M') }} {{ today_utc() - duration('PT36H') }}
{{ duration('P1M') + duration('P1D') }} {{ duration('P1Y') - duration('P1M') }} {{ duration('P1M') * 2 }} {{ -duration('P1M') }}
{{ duration('P1D') * 2.5 }} {{ duration('P1D') / 2 }} {{ duration('P1D') // duration('PT5H') }} {{ duration('P1D') % duration('PT5H') }} {{ duration('P1D') / duration('PT5H') }} {{ duration('PT1S') / 3 }}
{{ (now_utc() - str_to_datetime('2024-01-01')).days }}
{{ (now_utc() - str_to_datetime('2024-01-01')).total_seconds() | int }}
{{ now_utc() > str_to_datetime('2024-01-01') }}
{{ now_utc() < str_to_datetime(config.start_date) }}
{{ now_utc() == now_utc() }}
{{ now_utc() < today_utc() }}
{{ now_utc() - today_utc() }}
{{ today_utc() - str_to_datetime('2024-01-01').date() }}
{{ now_utc().strftime('%Y-%m-%dT%H:%M:%SZ') }}
{{ (now_utc() - duration('P30D')).strftime('%Y-%m-%d') }}
{{ max(config.start_date, day_delta(-30, '%Y-%m-%dT%H:%M:%SZ')) }}
{{ stream_slice }}
{{ stream_slice.start_time }} {{ stream_slice['team'] }} {{ stream_partition.team }} {{ stream_interval['end_time'] }}
{{ stream_slice.extra_fields['title'] }} {{ stream_slice.extra_fields.nope }}
{{ stream_slice.partition }} {{ stream_slice.cursor_slice }}
{{ stream_slice.get('nope', 'd') }}
{{ stream_slice.parent_slice }}
{{ stream_slice | tojson }}
{{ stream_slice == {'team': 10, 'parent_slice': {}, 'start_time': '2024-01-01', 'end_time': '2024-01-31'} }}
{{ stream_state }}
{{ unknown_variable }}
{{ unknown_variable | default('x') }}
{% if false %}{{ unknown_variable }}{% endif %}
{{ next_page_token }}
{{ next_page_token.next_page_token }}
{{ next_page_token['next_page_token'] or 1 }}
{{ parameters.name }} {{ parameters['path'] }} {{ parameters.nope }}
{{ headers['link'] }} {{ headers['X-Total'] | int }} {{ headers.nope }}
{{ last_record['id'] if last_record else none }}
{{ last_page_size < 5 }}
{{ response.data[-1].id }} {{ response.data[-1]['id'] }} {{ response['data'] | length }}
{{ response.next.url }} {{ response['next']['page'] + 1 }}
{{ response.get('next', {}).get('url') }}
{{ response.nope is defined }} {{ response.next is defined and response.next.page is not none }}
{{ not response.has_more }}
{{ response.meta }}
{{ response.meta.x.y is defined }}
{{ response.next.url.split('?')[1].split('&')[0] }}
{{ response.next.url.split('page=')[-1].split('&')[0] | int }}
{{ response.total // 10 + (1 if response.total % 10 else 0) }}
{{ config.ids.split(',') }}
{{ config.ids.split(',') | map('int') | list }}
{{ config.ids.split(',') | map('trim') | join('|') }}
{{ ','.join(config.words) }}
{{ config.list | sort | first }} {{ config.words | sort }} {{ config.words | unique | list }}
{{ config.list | sum / config.list | length }}
{{ record['items'] | selectattr('id', 'equalto', 1) | map(attribute='n') | list }}
{{ record['items'] | map(attribute='id') | list | unique | list }}
{{ record['items'] | groupby('id') }}
{{ record.address | dictsort }}
{{ record.address.items() | list }} {{ record.address.keys() }} {{ record.address.values() }}
{{ record | tojson }}
{{ record.tags | tojson }}
{{ record.tags | string }}
{{ record.id | string }}
{{ record.name | string }}
{{ config.html | tojson }}
{{ config.html | e }} {{ (config.html | e) + '<' }} {{ config.html | safe }}
{{ {'b': 1, 'a': [true, none, 1.5, "x'y"]} | tojson }}
{{ {'b': 1, 'a': [true, none, 1.5]} | string }}
{{ "a b&c=d/é" | urlencode }} {{ {'a': 1, 'b': 'x y'} | urlencode }}
{{ "%s and %05d and %.2f and %x" % ('a', 42, 3.14159, 255) }}
{{ "%(a)s-%(b)d" % {'a': 1, 'b': 2} }}
{{ "%s" % record.nope }} {{ "%s" % none }} {{ "%d" % 3.9 }} {{ "%r" % 'x' }} {{ "100%%" % () }} {{ "%-5s|%5s|%+d" % ('a', 'b', 3) }}
{{ "%s %s" % ('a',) }}
{{ "%d" % 'x' }}
{{ "%s" % ('a', 'b') }}
{{ "{}-{}".format(1, 'b') }} {{ "{0}{1}{0}".format('a', 'b') }} {{ "{x:>5}|{y:.2f}|{z:05d}|{w:,}".format(x='a', y=3.14159, z=42, w=1234567) }}
{{ "{a[b]} {a.b}".format(a={'b': 1}) }} {{ "{{}} {!r}".format('x') }} {{ "{:%Y}".format(now_utc()) }} {{ "{:^7}|{:*<4}|{:x}|{:e}|{:%}".format('m', 'l', 255, 12345.678, 0.5) }}
{{ "{}".format() }}
{% set x = 1 %}{{ x }}
{% set x = [1] %}{% set _ = x.append(2) %}{{ x }}
{% set x, y = 1, 2 %}{{ x + y }}
{% set x %}a{{ config.num }}b{% endset %}{{ x }}
{% set x | upper %}abc{% endset %}{{ x }}
{% set ns = namespace(n=0) %}{% for i in config.list %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}
{% set n = 0 %}{% for i in config.list %}{% set n = n + i %}{% endfor %}{{ n }}
{% for i in config.list %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}
{% for i in config.list %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.length }}/{{ loop.first }} {% endfor %}
{% for i in [] %}x{% else %}empty{% endfor %}
{% for k, v in record.address.items() %}{{ k }}={{ v }};{% endfor %}
{% for k in record.address %}{{ k }} {% endfor %}
{% for i in config.list if i > 1 %}{{ i }}{% endfor %}
{% for c in 'abc' %}{{ c }}{{ loop.cycle('-', '+') }}{% endfor %}
{% for i in config.list %}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.changed(i > 1) }} {% endfor %}
{% for i in record.nope %}x{% endfor %}
{% for i in none %}x{% endfor %}
{% for i in 5 %}x{% endfor %}
{% for a in [[1, [2]], [3, []]] recursive %}{% if a is iterable %}[{{ loop(a) }}]{% else %}{{ a }}{% endif %}{% endfor %}
{% if config.flag %}a{% elif config.num %}b{% else %}c{% endif %}
{% if config.off %}a{% elif config.num %}b{% else %}c{% endif %}
{% if config.off %}a{% endif %}
{% if config.flag %}{% set z = 1 %}{% endif %}{{ z }}
{% set z = 0 %}{% if config.flag %}{% set z = 1 %}{% endif %}{{ z }}
{% if config.flag %}{% set z = 1 %}{% else %}{% set z = 2 %}{% endif %}{{ z }}
{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}
{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{{ a }}{% endmacro %}{{ m(1, 2, x=3) }}
{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}in{% endcall %}
{% filter upper %}abc{{ config.key }}{% endfilter %}
{% raw %}{{ x }}{% endraw %}
{# comment #}x
a {#- c -#} b
a {{- ' b ' -}} c
a {%- if true -%} b {%- endif -%} c
{%+ if true %}x{% endif %}
{{-5}}
{{ -5 | abs }} {{ -5.5 | round }} {{ (-5) | abs }}
{{ 'a' ~ 1 ~ none ~ true ~ [1] ~ record.nope }}
{{ 1 ~ 2 + 3 }}
{{ 1 + 2 ~ 3 }}
{{ 'x' in 'xyz' }} {{ 1 in [1] }} {{ 'a' in {'a': 1} }} {{ 'b' not in ['a'] }}
{{ 1 in 'abc' }}
{{ 1 in 5 }}
{{ none in [none] }} {{ record.nope in [1] }} {{ 'a' in record.nope }}
{{ record.nope == none }} {{ record.nope is none }} {{ record.nope == '' }} {{ record.nope == record.nope2 }}
{{ record.nope + 1 }}
{{ record.nope | int }}
{{ record.nope | length }}{{ record.nope | upper }}
{{ record.nope() }}
{{ record.id() }}
{{ record.nope.x }}
{{ record.nope['x'] }}
{{ -record.nope }}
{{ record.nope < 1 }}
{{ [record.nope] }}
{{ record.nope ~ '' }}
{{ record.nope or 'fallback' }} {{ record.none or 'fallback' }}
{{ record.get('none', 'd') }} {{ record.get('nope', 'd') }}
{{ record.get('nope') }}
{{ record['created'] | int * 1000 }}
{{ record.price * record.qty }}
{{ (record.price * 100) | int }} {{ (record.price * 100) | round | int }}
{{ record.pct.rstrip('%') | float / 100 }}
{{ record.email | lower | hash('md5', config.key) }}
{{ record.when.replace(' ', 'T') ~ 'Z' }}
{{ format_datetime(record.updated_at, '%Y-%m-%d %H:%M:%S') }}
{{ format_datetime(record.created, '%Y-%m-%dT%H:%M:%SZ') }}
{{ timestamp(record.updated_at) }} {{ timestamp(record.created) }}
{{ str_to_datetime(record.updated_at).strftime('%s') }}
{{ (str_to_datetime(record.updated_at) + duration('PT1H')).isoformat() }}
{{ record.big }} {{ record.big + 1 }} {{ record.e }} {{ record.zero }}
{{ record.text }} {{ record.text + '1' }} {{ record.text | int + 1 }}
{{ record.update({'x': 1}) }}{{ record.x }}
{% set _ = record.tags.append('z') %}{{ record.tags }}
{% set r = record.address %}{% set _ = r.update({'city': 'X'}) %}{{ record.address.city }}{{ r }}
{{ record.pop('id') }}{{ record.id }}
{{ dict(record.address, extra=1) }}
{{ [1, 2, 3][1] }} {{ {'a': 1}['a'] }} {{ {'a': 1}.a }} {{ 'abc'[1] }} {{ (1, 2)[0] }}
{{ [x for x in y] }}
{{ config.words | map('lower') | sort | join(',') }}
{{ config.words | map('lower') }}
{{ config.words | select('in', ['a', 'b']) | list }}
{{ config.list | batch(2) | list }} {{ config.list | slice(2) | list }} {{ config.list | reverse | list }}
{{ config.list | max }} {{ config.list | min }} {{ [] | max }} {{ ['b', 'A'] | min }}
{{ config.json }}
{{ config.spaces }}
{{ config.spaces | trim }}
{{ config.empty }}
{{ config.empty or none }}
{{ config.nothing }}
{{ config.flag }} 
{{ config.off }}
{{ config.off | string }}
{{ config.big }} {{ config.ratio }}
{{ "2" }} {{ '"quoted"' }}
{{ "'quoted'" }}
{{ '"2024-01-01"' }}
{{ "[1,2" }}
{{ '{"a": true}' }}
{{ "{'a': True}" }}
{{ 'None' }}
{{ '1_0' }}
{{ '\u00e9' }}{{ 'é' }}
{{ "\x41\101\d" }}
{{ 'a
b' }}
{{ config.nested.a.b[1].c }} {{ config.nested['a']['b'][0] }}
{{ config['nested']['a']['zzz'] }}
{{ config.credentials.auth_type == 'oauth' }}
{{ config['credentials']['auth_type'] == 'oauth' and config.num > 3 }}
{{ config.get('credentials').get('nope') }}
{{ config.get('credentials', {})['token'] }}
{{ 'true' }} {{ true }}
{{ 'no' }}
{{ '0' }}
{{ '0.00' }}
{{ 0.0 }}
{{ '{}' }}
{{ [[]] }}
{{ ' ' }}
{{ 'false' }}
false
False
no
0
0.0
0.00
null
{}
[]
()
set()
plain text
{{ 
{{ }}
{{ 1 + }}
{% if %}{% endif %}
{% if true %}
{% endif %}
{% nosuch %}
{% break %}
{% for i in [1] %}{% continue %}{% endfor %}
{% include 'x' %}
{{ 'a }}
{{ a b }}
{{ 1 2 }}
{{ [1, }}
{{ x.1.2 }}
{{ record.tags.0.1 }}
{{ 'x'.y.z }}
{{ x | }}
{{ 1 is }}
{{ ! }}
{{ f(a=1, 2) }}
{{ '%s' | format(1) }} {{ '%s %s' | format('a', 'b') }}
{{ 'x' is string }} {{ 1 is string }} {{ none is none }} {{ 3 is divisibleby 3 }} {{ 1 is not none and true }}
{{ record.none is none }} {{ record.ok is true }} {{ record.ok is sameas true }} {{ record.id is number }}
{{ 'a' is in ['a'] }} {{ 'a' is not in ['a'] }}
{{ namespace() }}
{{ lipsum() }}
{{ self }}
{{ loop }}
{{ caller }}
{{ config.words[0].upper()[0].lower() }}
{{ (config.num | string) + 'x' }}
{{ config.num.bit_length() }} {{ config.ratio.is_integer() }}
{{ config.ratio | int }} {{ config.ratio | round }} {{ 3.5 | round }} {{ 2.675 | round(2) }} {{ 1234.5678 | round(-2) }} {{ 15 | round(-1) }} {{ 25 | round(-1) }}
{{ '3.7' | int }} {{ '3.7' | float }} {{ 'x' | int }} {{ 'x' | float }} {{ '1e3' | float }} {{ '1e3' | int }} {{ none | int }} {{ none | float }} {{ true | int }} {{ '٣' | int }} {{ 'nan' | float }} {{ 'inf' | float }}
{{ 1e400 }} {{ -1e400 }} {{ 1e400 - 1e400 }}
{{ [1e400] }}
{{ true + true }} {{ true * 3 }} {{ true / 2 }} {{ -true }} {{ +true }}
{{ 'b' > 'a' and 'ok' }}
{{ 'abc' | first }} {{ 'abc' | last }} {{ 'abc' | list }} {{ {'a': 1} | first }} {{ {'a': 1} | list }} {{ 'abc' | reverse }}
{{ 'abc'.encode() }} {{ 'abc'.encode().decode() }} {{ 'é'.encode() }} {{ 'abc'.encode() | base64encode }}
{{ 'user:pass' | base64encode }} {{ 'dXNlcg==' | base64decode }} {{ 'dXNlcg' | base64decode }} {{ 5 | base64encode }}
{{ (config.key ~ ':x') | base64encode }}
{{ 'Hello' | regex_search('l(.)') }} {{ 'Hello' | regex_search('z(.)') }} {{ 'Hello' | regex_search('l') }} {{ 5 | regex_search('5') }} {{ 'x' | regex_search('(') }}"""


def templates():
    chance = random.Random(7)
    yield from literals()
    for text in literals():
        yield "{{ " + repr(text) + " }}" if "\\N" not in text and len(text) < 4000 else "x"
    yield from HAND.split("\n")
    for atom in ATOMS:
        yield "{{ " + atom + " }}"
        yield "a{{ " + atom + " }}b"
        yield "{{ " + atom + " }}\n"
        yield "{{ not " + atom + " }}"
        yield "{{ -" + atom + " }}"
        yield "{{ [" + atom + "] }}"
    pairs = [(left, operator, right) for left in ATOMS for operator in OPERATORS for right in ATOMS]
    for left, operator, right in chance.sample(pairs, 2600):
        yield "{{ " + left + " " + operator + " " + right + " }}"
    filters = split_filters(FILTERS)
    for name in filters:
        for subject in SUBJECTS:
            yield "{{ " + subject + " | " + name + " }}"
            if chance.random() < 0.3:
                yield "{{ " + subject + " | " + name + " | list }}"
    for methods, subjects in ((TEXT_METHODS, TEXTS), (LIST_METHODS, LISTS), (MAP_METHODS, MAPS), (DATE_METHODS, DATES)):
        for method in split(methods):
            for subject in subjects:
                if method in ("list", "int"):
                    continue
                yield "{{ (" + subject + ")." + method + " }}"
                if methods in (LIST_METHODS, MAP_METHODS):
                    yield "{% set v = " + subject + " %}{% set _ = v." + method + " %}{{ v }}"
    for macro in split(MACROS):
        yield "{{ " + macro + " }}"
        yield "-{{ " + macro + " }}"
    for test in TESTS:
        for atom in chance.sample(ATOMS, 22):
            yield "{{ " + atom + " is " + test + " }}"


def main():
    seen, cases = set(), []
    for template in templates():
        if template in seen:
            continue
        seen.add(template)
        case = evaluate(template)
        text = json.dumps(case, ensure_ascii=False)
        # Addresses differ in each run, and halves of surrogate pairs can't be written.
        if " at 0x" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
            cases.append(case)
    document = {
        "airbyte-cdk": importlib.metadata.version("airbyte-cdk"), "python": sys.version.split()[0], "now": NOW.isoformat(),
        "config": CONFIG, "parameters": PARAMETERS, "slice": SLICE,
        "variables": {key: value for key, value in context().items() if key != "stream_slice"}, "cases": cases,
    }
    head = json.dumps({key: value for key, value in document.items() if key != "cases"}, ensure_ascii=False)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    print(head[:-1] + ', "cases": [\n' + lines + "\n]}")


main()
