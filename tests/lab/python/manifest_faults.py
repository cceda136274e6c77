"""Lets airbyte-cdk's HTTP client meet failures under many error handlers and prints what it did, as one JSON document.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1:
    python manifest_faults.py > connectors/src/source/declarative/fixtures/faults.json
The test `acts_as_the_reference` judges the same answers and compares: how often it sent, how long it waited in between,
and how it ended. Time is counted, not waited for.
"""

import contextlib
import datetime as real
import io
import json
import logging
import time

import backoff._sync
import requests
from airbyte_cdk.sources.declarative.models.declarative_component_schema import CompositeErrorHandler, DefaultErrorHandler
from airbyte_cdk.sources.declarative.parsers.model_to_component_factory import ModelToComponentFactory
from airbyte_cdk.sources.streams.http.exceptions import BaseBackoffException  # noqa: F401
from airbyte_cdk.sources.streams.http.http_client import HttpClient
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

logging.disable(logging.CRITICAL)
START = 1709211909.0
CONFIG = {"wait": "7", "factor": 3, "retries": 2, "header": "X-Wait", "name": "acme"}
now = START


class Clock:
    @staticmethod
    def now():
        return real.datetime.fromtimestamp(now)


class Shim:
    datetime = Clock
    timedelta = real.timedelta


waits = []


def sleep(seconds):
    global now
    if seconds:
        waits.append(round(seconds, 4))
        now += seconds


backoff._sync.datetime = Shim
time.sleep = sleep
time.time = lambda: now


def answer(status, headers=None, body=None):
    return {"status": status, "headers": headers or {}, "body": json.dumps(body if body is not None else {})}


def flt(**fields):
    return {"type": "HttpResponseFilter", **fields}


def handler(filters=None, strategies=None, **fields):
    made = {"type": "DefaultErrorHandler", **fields}
    if filters is not None:
        made["response_filters"] = filters
    if strategies is not None:
        made["backoff_strategies"] = strategies
    return made


def composite(*handlers):
    return {"type": "CompositeErrorHandler", "error_handlers": list(handlers)}


CONSTANT = {"type": "ConstantBackoffStrategy", "backoff_time_in_seconds": 5}
EXPONENTIAL = {"type": "ExponentialBackoffStrategy"}
RETRY_AFTER = {"type": "WaitTimeFromHeader", "header": "Retry-After"}
UNTIL = {"type": "WaitUntilTimeFromHeader", "header": "X-Reset"}

HANDLERS = [
    handler(), handler(max_retries=0), handler(max_retries=2), handler(max_retries="{{ config['retries'] }}"), handler(max_retries=-1), handler(max_retries=10),
    handler(max_retries="{{ config['retries'] * 1.5 }}"),
    handler([flt(http_codes=[404], action="IGNORE")]), handler([flt(http_codes=[404, 500], action="RETRY")]), handler([flt(http_codes=[500], action="FAIL")]),
    handler([flt(http_codes=[500], action="FAIL", failure_type="config_error")]), handler([flt(http_codes=[200], action="FAIL", failure_type="transient_error")]),
    handler([flt(http_codes=[403], action="FAIL", failure_type="system_error", error_message="no right: {{ response['message'] }} {{ config['name'] }} {{ request_url }}")]),
    handler([flt(http_codes=[400], action="RATE_LIMITED")]), handler([flt(http_codes=[404], action="SUCCESS")]), handler([flt(http_codes=[400], action="RESET_PAGINATION")]),
    handler([flt(http_codes=[400], action="REDUCE_PAGE_SIZE")]), handler([flt(http_codes=[400], action="SPLIT_REQUEST_WINDOW")]),
    handler([flt(http_codes=[401], action="REFRESH_TOKEN_THEN_RETRY")]),
    handler([flt(predicate="{{ response['code'] == 'limit' }}", action="RATE_LIMITED")]), handler([flt(predicate="{{ 'error' in response }}", action="FAIL", error_message="said {{ response.error }}")]),
    handler([flt(predicate="{{ headers['X-Left'] == '0' }}", action="RETRY")]), handler([flt(predicate="{{ headers.get('x-left') == '0' }}", action="IGNORE")]),
    handler([flt(predicate="{{ config['name'] == 'acme' }}", action="IGNORE")]), handler([flt(predicate="{{ request_url.endswith('/items') }}", action="IGNORE")]),
    handler([flt(predicate="{{ response.get('message') }}", action="IGNORE")]), handler([flt(predicate="{{ response[0] }}", action="IGNORE")]),
    handler([flt(error_message_contains="slow down", action="RATE_LIMITED")]), handler([flt(error_message_contains="not here", http_codes=[400], action="IGNORE")]),
    handler([flt(error_message_contains="gone", action="IGNORE")]), handler([flt(error_message="only words", http_codes=[404])]), handler([flt(http_codes=[404], action="IGNORE", error_message="{{ response.a.b.c }}")]),
    handler([flt(http_codes=[429], action="RETRY")]), handler([flt(http_codes=[429], action="FAIL")]), handler([flt(http_codes=[429], action="IGNORE")]),
    handler([flt(http_codes=[404], action="RETRY"), flt(http_codes=[404], action="IGNORE")]),
    handler(None, [CONSTANT]), handler(None, [dict(CONSTANT, backoff_time_in_seconds="{{ config['wait'] }}")]), handler(None, [dict(CONSTANT, backoff_time_in_seconds=0)]), handler(None, [dict(CONSTANT, backoff_time_in_seconds=400)]),
    handler(None, [dict(CONSTANT, backoff_time_in_seconds=0.5)], max_retries=3), handler(None, [EXPONENTIAL]), handler(None, [dict(EXPONENTIAL, factor=0)]), handler(None, [dict(EXPONENTIAL, factor="{{ config['factor'] }}")]),
    handler(None, [dict(EXPONENTIAL, factor=60)], max_retries=8), handler(None, [dict(CONSTANT, backoff_time_in_seconds="{{ config['name'] }}")]),
    handler(None, [RETRY_AFTER]), handler(None, [RETRY_AFTER, CONSTANT]), handler(None, [dict(RETRY_AFTER, header="{{ config['header'] }}")]), handler(None, [dict(RETRY_AFTER, header="X-Text", regex="[0-9]+")]),
    handler(None, [dict(RETRY_AFTER, header="X-Text", regex="wait ([0-9]+)")]), handler(None, [dict(RETRY_AFTER, max_waiting_time_in_seconds=10)]), handler(None, [dict(RETRY_AFTER, max_waiting_time_in_seconds=3600)]),
    handler(None, [UNTIL]), handler(None, [dict(UNTIL, min_wait=30)]), handler(None, [dict(UNTIL, min_wait="{{ config['wait'] }}")]), handler(None, [dict(UNTIL, min_wait=3), CONSTANT]), handler(None, [dict(UNTIL, max_waiting_time_in_seconds=60)]),
    handler(None, [dict(UNTIL, header="X-None", min_wait=0)]), handler(None, [{"type": "WaitTimeFromResponse", "wait_time_in_seconds": "{{ response['wait'] }}"}]),
    handler(None, [{"type": "WaitTimeFromResponse", "wait_time_in_seconds": "{{ response.error.wait * 2 }}"}, CONSTANT]), handler(None, [{"type": "WaitTimeFromResponse", "wait_time_in_seconds": "{{ headers['x-wait'] }}"}]),
    handler([flt(http_codes=[404], action="RETRY")], [RETRY_AFTER, UNTIL], max_retries=3),
    composite(handler([flt(http_codes=[404], action="IGNORE")]), handler([flt(http_codes=[400], action="IGNORE")])),
    composite(handler([flt(http_codes=[403], action="FAIL")]), handler([flt(http_codes=[403], action="IGNORE")])),
    composite(handler([flt(http_codes=[429], action="RATE_LIMITED")]), handler([flt(http_codes=[429], action="RETRY")])),
    composite(handler([flt(http_codes=[500], action="RETRY")]), handler([flt(http_codes=[500], action="IGNORE")])),
    composite(handler([flt(http_codes=[404], action="RETRY")], max_retries=1), handler(None, [CONSTANT], max_retries=9)),
    composite(handler(None, [RETRY_AFTER]), handler(None, [CONSTANT])), composite(handler([flt(http_codes=[401], action="REFRESH_TOKEN_THEN_RETRY")]), handler([flt(http_codes=[401], action="IGNORE")])),
    composite(composite(handler([flt(http_codes=[404], action="FAIL")], max_retries=1)), handler([flt(http_codes=[200], action="IGNORE")])),
    composite(handler([flt(predicate="{{ response.code == 'limit' }}", action="RATE_LIMITED")], [EXPONENTIAL]), handler([flt(http_codes=[422], action="IGNORE")])),
]

STATUSES = [200, 204, 301, 304, 400, 401, 403, 404, 405, 408, 409, 410, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 520, 524, 599]
HEADERS = {"X-Wait": "11", "X-Text": "wait 42 seconds", "X-Reset": str(int(START) + 90), "x-left": "0"}
SCRIPTS = [[answer(status)] for status in STATUSES] + [
    [answer(200, body={"code": "limit"})], [answer(200, body={"error": "bad things"})], [answer(400, body={"errors": [{"message": "please slow down"}, {"detail": "x"}]})], [answer(400, body={"error": {"message": "not here"}})],
    [answer(404, body=["gone", {"msg": "away"}])], [answer(403, body={"message": "nope"})], [answer(200, body=[{"message": "slow down"}])], [{"status": 500, "headers": {}, "body": "<html>gone, slow down"}],
    [answer(200, {"X-Left": "0"})], [answer(404, body={"a": {}})], [answer(503, HEADERS)], [answer(429, HEADERS)], [answer(500, {"X-Reset": str(int(START) - 90), "X-Wait": "soon"})],
    [answer(429, {"X-Reset": str(int(START) + 90.5)}), answer(200)], [answer(500, body={"wait": "3", "error": {"wait": 4}})], [answer(500, body={"wait": -3, "error": "x"})], [answer(500, body={"wait": "1e3", "error": []})],
    [{"lost": True}], [{"lost": True}, answer(500), answer(200)], [answer(500), answer(429), answer(500), answer(429), answer(404)], [answer(429), answer(429), answer(200)], [answer(500), answer(500), answer(500), answer(401)],
    [answer(503, {"X-Reset": str(int(START) + 2000)}), answer(503), answer(200)], [answer(401), answer(401), answer(200)], [answer(401), answer(200)],
    [answer(500, {"X-Wait": "2"}), answer(500), answer(500, {"X-Wait": "3"}), answer(500), answer(500), answer(500), answer(500), answer(500), answer(200)],
]
# Retry-After without a strategy is where we differ; with one that reads it we do not, but for waits below zero and NaN,
# of which the reference dies.
WITH_RETRY_AFTER = [[answer(429, {"Retry-After": text})] for text in ("5", "0", "1.5", "12 ", "1_0", "Wed, 21 Oct 2015 07:28:00 GMT", "3600", "9")] + [[answer(503, {"retry-after": "8"}), answer(500), answer(200)]]


class Session(requests.Session):
    def __init__(self, script):
        super().__init__()
        self.script, self.sent = script, 0

    def send(self, request, **_):
        step = self.script[min(self.sent, len(self.script) - 1)]
        self.sent += 1
        if "lost" in step:
            raise requests.ConnectionError("lost")
        made = requests.Response()
        made.status_code, made._content, made.url, made.request = step["status"], step["body"].encode(), "https://user:pw@api.test/v1/items?key=k", request
        made.headers = requests.structures.CaseInsensitiveDict(step["headers"])
        return made


def run(definition, script):
    global now
    now = START
    waits.clear()
    model = CompositeErrorHandler if definition["type"] == "CompositeErrorHandler" else DefaultErrorHandler
    try:
        made = ModelToComponentFactory().create_component(model, definition, CONFIG)
    except Exception:
        return {"sent": 0, "waits": [], "end": "unbuilt"}
    last = []
    interpret = made.interpret_response

    def watch(response):
        last.append(interpret(response))
        return last[-1]

    made.__class__ = type("Watched", (made.__class__,), {"interpret_response": lambda self, response: watch(response)})
    session = Session(script)
    client = HttpClient("s", logging.getLogger("x"), error_handler=made, session=session, backoff_strategy=made.backoff_strategies)
    end, message = None, None
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            client.send_request("GET", "https://api.test/v1/items", {})
            end = last[-1].response_action.value
        except AirbyteTracedException as error:
            end = {"PaginationResetRequiredException": "RESET_PAGINATION", "PageSizeReductionRequiredException": "REDUCE_PAGE_SIZE", "RequestWindowSplitRequiredException": "SPLIT_REQUEST_WINDOW"}.get(type(error).__name__, error.failure_type.value)
        except Exception as error:
            end = {"PaginationResetRequiredException": "RESET_PAGINATION", "PageSizeReductionRequiredException": "REDUCE_PAGE_SIZE", "RequestWindowSplitRequiredException": "SPLIT_REQUEST_WINDOW"}.get(type(error).__name__, "error")
    if last and definition["type"] == "DefaultErrorHandler" and any("error_message" in one for one in definition.get("response_filters", [])):
        message = last[-1].error_message if end != "error" and last[-1].response_action.value in ("FAIL", "IGNORE") else None
    case = {"sent": session.sent, "waits": list(waits), "end": end}
    if message and not message.startswith("HTTP Status Code"):
        case["message"] = message
    return case


def main():
    scripts = SCRIPTS + WITH_RETRY_AFTER
    cases = []
    for number, definition in enumerate(HANDLERS):
        reads_it = '"Retry-After"' in json.dumps(definition)
        for place, script in enumerate(scripts):
            if place < len(SCRIPTS) or reads_it:
                cases.append([number, place, run(definition, script)])
    print(json.dumps({"start": START, "config": CONFIG, "handlers": HANDLERS, "scripts": scripts, "cases": cases}, separators=(",", ":")))


main()
