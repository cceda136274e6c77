"""Lets airbyte-cdk cut streams into slices, observe records and close slices in many orders, and prints what it said.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1 and time-machine:
    python manifest_cursors.py > connectors/src/source/declarative/fixtures/cursors.json
The tests in `connectors/src/source/declarative/cursor/tests.rs` compare. No request is sent: records are the case's.
"""

import copy
import datetime
import itertools
import json
import logging
import random
import sys

import time_machine

logging.disable(logging.CRITICAL)

from airbyte_cdk.models import AirbyteStateBlob, AirbyteStateMessage, AirbyteStateType, AirbyteStreamState, StreamDescriptor
from airbyte_cdk.sources.connector_state_manager import ConnectorStateManager
from airbyte_cdk.sources.declarative.incremental.concurrent_partition_cursor import ConcurrentPerPartitionCursor
from airbyte_cdk.sources.declarative.models.declarative_component_schema import DeclarativeStream
from airbyte_cdk.sources.declarative.parsers.model_to_component_factory import ModelToComponentFactory
from airbyte_cdk.sources.declarative.retrievers.simple_retriever import LazySimpleRetriever, SimpleRetriever
from airbyte_cdk.sources.message import InMemoryMessageRepository
from airbyte_cdk.sources.types import Record

NOW = "2024-03-05T12:34:56.789012Z"
RETRIEVER = {
    "requester": {"type": "HttpRequester", "url_base": "https://x.test", "path": "/", "http_method": "GET"},
    "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}},
}
ISO = "%Y-%m-%dT%H:%M:%SZ"


def whole(node):
    """The manifest with what every retriever needs."""
    if isinstance(node, list):
        return [whole(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: whole(value) for key, value in node.items()}
    if node.get("type") == "SimpleRetriever":
        node = {**RETRIEVER, **node}
    if node.get("type") == "DeclarativeStream":
        node.setdefault("schema_loader", {"type": "InlineSchemaLoader", "schema": {"type": "object"}})
    return node


class World:
    """One stream that is driven by hand."""

    records = {}

    def __init__(self, case):
        World.records = {name: [list(slice_) for slice_ in slices] for name, slices in case.get("records", {}).items()}
        state = case.get("state")
        states = []
        if state is not None:
            descriptor = StreamDescriptor(name=case["stream"]["name"], namespace=None)
            blob = AirbyteStreamState(stream_descriptor=descriptor, stream_state=AirbyteStateBlob(copy.deepcopy(state)))
            states.append(AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=blob))
        self.messages = InMemoryMessageRepository()
        factory = ModelToComponentFactory(connector_state_manager=ConnectorStateManager(states), message_repository=self.messages)
        self.stream = factory.create_component(DeclarativeStream, whole(case["stream"]), case.get("config", {}))
        self.partitions = None
        self.open = []

    def emitted(self):
        said = [message.state.stream.stream_state.__dict__ for message in self.messages.consume_queue() if message.state]
        return json.loads(json.dumps(said))

    def slice(self, partition):
        slice_ = partition.to_slice()
        lazy = "child_response" in slice_.extra_fields
        extra = {key: value for key, value in slice_.extra_fields.items() if key != "child_response"}
        told = [dict(slice_.partition), dict(slice_.cursor_slice), extra]
        if lazy:
            told.append(json.loads(slice_.extra_fields["child_response"].content))
        return json.loads(json.dumps(told).replace("Infinity", "null"))

    def do(self, step):
        what, *rest = step
        cursor = self.stream.cursor
        if what in ("observe", "close", "keeps", "options", "split") and rest[0] >= len(self.open):
            return "no such slice"
        if what == "next":
            if self.partitions is None:
                self.partitions = iter(self.stream.generate_partitions())
            told = []
            for partition in itertools.islice(self.partitions, rest[0]):
                self.open.append(partition)
                told.append(self.slice(partition))
            return told
        if what == "observe":
            for record in rest[1]:
                cursor.observe(Record(data=record, stream_name="s", associated_slice=self.open[rest[0]].to_slice()))
            return None
        if what == "close":
            cursor.close_partition(self.open[rest[0]])
            return self.emitted()
        if what == "finish":
            cursor.ensure_at_least_one_state_emitted()
            return self.emitted()
        if what == "state":
            return json.loads(json.dumps(cursor.state))
        if what == "keeps":
            slice_ = self.open[rest[0]].to_slice()
            return [bool(cursor.should_be_synced(Record(data=record, stream_name="s", associated_slice=slice_))) for record in rest[1]]
        if what == "options":
            retriever = self.stream._stream_partition_generator._partition_factory._retriever
            provider, slice_ = retriever.request_option_provider, self.open[rest[0]].to_slice()
            calls = [provider.get_request_params, provider.get_request_headers, provider.get_request_body_data, provider.get_request_body_json]
            return [dict(call(stream_slice=slice_)) for call in calls]
        if what == "split":
            halves = cursor.split_request_window(self.open[rest[0]].to_slice(), rest[1] and __import__("isodate").parse_duration(rest[1]))
            return halves and [dict(half) for half in halves]
        if what == "moment":
            moment = cursor.get_cursor_datetime_from_state(rest[0])
            return moment and moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        raise SystemExit(what)


def read_records(self, records_schema, stream_slice=None):
    slices = World.records.get(self.name, [])
    for record in slices.pop(0) if slices else []:
        yield Record(data=record, stream_name=self.name, associated_slice=stream_slice)


SimpleRetriever.read_records = read_records
LazySimpleRetriever.read_records = read_records


def run(case):
    told = []
    with time_machine.travel(datetime.datetime.fromisoformat(case.get("now", NOW)), tick=False):
        try:
            world = World(case)
        except Exception as error:
            return [{"!": type(error).__name__ + ": " + str(error)[:60].split("\n")[0]}]
        for step in case["steps"]:
            try:
                told.append(world.do(step))
            except Exception as error:
                told.append({"!": type(error).__name__ + ": " + str(error)[:60].split("\n")[0]})
                break
    return told


def stream(name="s", cursor=None, router=None, **more):
    retriever = {"type": "SimpleRetriever"}
    if router is not None:
        retriever["partition_router"] = router
    made = {"type": "DeclarativeStream", "name": name, "retriever": retriever, **more}
    if cursor is not None:
        made["incremental_sync"] = cursor
    return made


def dates(start="2024-01-01T00:00:00Z", format=ISO, **more):
    return {"type": "DatetimeBasedCursor", "cursor_field": "at", "datetime_format": format, "start_datetime": start, **more}


def option(place, name):
    return {"type": "RequestOption", "inject_into": place, **({"field_path": name} if isinstance(name, list) else {"field_name": name})}


def listed(values, key="k", **more):
    return {"type": "ListPartitionRouter", "values": values, "cursor_field": key, **more}


def link(parent, key="id", field="pid", **more):
    return {"type": "ParentStreamConfig", "stream": parent, "parent_key": key, "partition_field": field, **more}


def substream(*links):
    return {"type": "SubstreamPartitionRouter", "parent_stream_configs": list(links)}


def windows():
    """How time is cut: start, end, step, granularity, formats, state, look-back, clamping."""
    spans = [(None, None), ("P1M", "PT1S"), ("P30D", "P1D"), ("P1W", "PT0.000001S"), ("P10D", "PT0S"), ("P1Y", "P1M"), ("PT36H", "PT1H"), ("P0D", "P1D"), ("P1M", "P1M")]
    formats = [ISO, "%Y-%m-%d", "%s", "%Y-%m-%dT%H:%M:%S.%f%z", "%ms", "%Y-%m", "%Y-%m-%dT%H:%M:%S.%_msZ", "%s_as_float", "%epoch_microseconds", "%d/%m/%Y %H:%M"]
    for (step, grain), format in itertools.product(spans, formats):
        for state, lookback, end in [(None, None, None), ("2024-02-10T08:30:15.5", "P3D", None), ("2024-02-29T00:00:00", "P1M", "2024-03-04T00:00:00"), ("2023-01-01T00:00:00", "P1D", "2024-01-20T00:00:00"), ("2024-03-05T12:34:56", None, None), ("2024-06-01T00:00:00", None, None), ("2024-02-01T00:00:00", None, "2024-02-01T00:00:00")]:
            write = lambda text: from_iso(text, format)
            cursor = dates({"type": "MinMaxDatetime", "datetime": "2024-01-15T06:00:00Z", "datetime_format": ISO}, format)
            if end:
                cursor["end_datetime"] = {"type": "MinMaxDatetime", "datetime": end + "Z", "datetime_format": ISO}
            if lookback:
                cursor["lookback_window"] = lookback
            if step:
                cursor |= {"step": step, "cursor_granularity": grain}
            yield {"stream": stream(cursor=cursor), "state": state and {"at": write(state)}, "steps": [["next", 6], ["state"]]}
    for target, step, grain, start, end, state in itertools.product([("DAY", None), ("WEEK", "MONDAY"), ("WEEK", "SUNDAY"), ("MONTH", None)], ["P1D", "P1W", "P1M", "P10D", None], ["P1D", "PT1S"], ["2024-01-31T10:00:00Z", "2024-02-01T00:00:00Z"], [None, "2024-02-20T00:00:00Z"], [None, "2024-02-12T13:00:00Z"]):
        clamping = {"target": target[0]} | ({"target_details": {"weekday": target[1]}} if target[1] else {})
        cursor = dates(start, clamping=clamping) | ({"step": step, "cursor_granularity": grain} if step else {})
        if end:
            cursor["end_datetime"] = end
        yield {"stream": stream(cursor=cursor), "state": state and {"at": state}, "steps": [["next", 6]]}


def from_iso(text, format):
    from airbyte_cdk.sources.declarative.datetime.datetime_parser import DatetimeParser

    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)
    return DatetimeParser().format(moment, format)


def oddities():
    """What manifests and states have beside the usual."""
    steps = [["next", 3], ["state"]]
    keep = lambda *values: [["next", 2], ["keeps", 0, [{"at": value} for value in values] + [{}, {"at": None}]]]
    for state in [{}, {"at": "2024-02-01T00:00:00Z"}, {"at": "2024-02-01T00:00:00Z", "other": [1, {"a": None}]}, {"other": 1}, {"at": None}, {"at": "nonsense"}, {"at": 5}, {"__ab_no_cursor_state_message": True},
                  {"state_type": "date-range", "slices": [{"start": "2024-01-01T00:00:00Z", "end": "2024-01-10T00:00:00Z"}]},
                  {"state_type": "date-range", "slices": [{"start": "2024-01-01T00:00:00Z", "end": "2024-01-10T00:00:00Z", "most_recent_cursor_value": "2024-01-09T00:00:00Z"}, {"start": "2024-01-20T00:00:00Z", "end": "2024-02-10T00:00:00Z"}], "legacy": {"a": 1}},
                  {"state_type": "date-range", "slices": [{"start": "2024-01-05T00:00:00Z", "end": "2024-01-10T00:00:00Z"}, {"start": "2024-01-10T00:00:00Z", "end": "2024-01-12T00:00:00Z"}]}]:
        for more in [{}, {"step": "P1W", "cursor_granularity": "PT1S"}, {"lookback_window": "P2D", "step": "P1M", "cursor_granularity": "P1D", "is_compare_strictly": True}]:
            yield {"stream": stream(cursor=dates(**more)), "state": state, "steps": [["next", 9], ["state"], ["keeps", 0, [{"at": "2024-01-05T00:00:00Z"}, {"at": "2024-01-09T00:00:00Z"}, {"at": "2024-02-01T00:00:00Z"}, {"at": "2024-03-05T12:34:56Z"}, {"at": "2024-03-05T12:34:57Z"}, {"at": "x"}, {}]]]}
    for more in [{"partition_field_start": "from", "partition_field_end": "{{ parameters['to'] }}", "$parameters": {"to": "until"}}, {"cursor_field": "{{ config['field'] }}"}, {"step": "P1D"}, {"cursor_granularity": "P1D"}, {"lookback_window": "{{ config['nothing'] }}"},
                 {"lookback_window": "P{{ config['days'] }}D"}, {"step": "P{{ config['days'] }}D", "cursor_granularity": "PT1S"}, {"step": "", "cursor_granularity": ""}, {"step": "wrong", "cursor_granularity": "PT1S"}, {"end_datetime": "{{ now_utc().strftime('%Y-%m-%dT%H:%M:%SZ') }}"},
                 {"end_datetime": "{{ day_delta(-3, format='%Y-%m-%dT%H:%M:%SZ') }}"}, {"end_datetime": ""}, {"start_datetime": "{{ config['start'] }}"}, {"start_datetime": "2024-01-01"}, {"start_datetime": {"type": "MinMaxDatetime", "datetime": "{{ config['start'] }}", "min_datetime": "2024-02-01T00:00:00Z", "max_datetime": "2024-02-03T00:00:00Z"}},
                 {"start_datetime": {"type": "MinMaxDatetime", "datetime": "2024-05-01T00:00:00Z", "min_datetime": "", "max_datetime": "{{ config['start'] }}"}}, {"start_datetime": {"type": "MinMaxDatetime", "datetime": "2024-02-03", "datetime_format": "%Y-%m-%d"}}, {"clamping": {"target": "YEAR"}}, {"clamping": {"target": "WEEK"}},
                 {"clamping": {"target": "{{ config['target'] }}"}}, {"start_datetime": "2024-01-01T00:00:00+02:00", "datetime_format": "%Y-%m-%dT%H:%M:%S%z"}, {"start_datetime": "1706000000", "datetime_format": "%s", "step": "P1W", "cursor_granularity": "PT1S"}]:
        yield {"stream": stream(cursor=dates() | more), "config": {"field": "at", "days": 5, "start": "2024-02-02T00:00:00Z", "target": "DAY"}, "state": {"at": "2024-02-10T00:00:00Z"}, "steps": steps}
    for formats, values in [(["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d", "%s"], ["2024-02-01T00:00:00.5Z", "2024-02-02", 1707000000, "1707000000", "x", 1.5]), (["%Y-%m-%dT%H:%M:%S%z"], ["2024-02-01T23:00:00-05:00", "2024-02-02T01:00:00+00:00", "2024-02-02T03:59:59Z"])]:
        for format in ["%Y-%m-%dT%H:%M:%S%z", ISO, "%Y-%m-%d"]:
            cursor = dates("2024-01-01T00:00:00Z", format, cursor_datetime_formats=formats)
            cursor["start_datetime"] = {"type": "MinMaxDatetime", "datetime": "2024-01-01T00:00:00Z", "datetime_format": ISO}
            yield {"stream": stream(cursor=cursor), "steps": [["next", 1], ["observe", 0, [{"at": value} for value in values]], ["close", 0], ["finish"]]}
            yield {"stream": stream(cursor=cursor, router=listed(["a"])), "steps": [["next", 1], ["observe", 0, [{"at": value} for value in values]], ["close", 0], ["finish"]]}
    for more, state in itertools.product([{}, {"lookback_window": "P2D"}, {"lookback_window": "P1M", "end_datetime": "2024-02-20T00:00:00Z"}], [None, {"at": "2024-02-01T00:00:00Z"}, {"at": "2023-12-01T00:00:00Z"}]):
        values = ["2023-11-30T00:00:00Z", "2023-12-31T23:59:59Z", "2024-01-01T00:00:00Z", "2024-01-30T00:00:00Z", "2024-01-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-02-20T00:00:01Z", "2024-03-05T12:34:56Z", "2025-01-01T00:00:00Z", "x"]
        yield {"stream": stream(cursor=dates(**more)), "state": state, "steps": keep(*values)}
        yield {"stream": stream(cursor=dates(**more), router=listed(["a"])), "state": state, "steps": keep(*values)}
        yield {"stream": stream(cursor=dates(**more), router=listed(["a"])), "state": state and {"states": [{"partition": {"k": "a"}, "cursor": state}], "state": {"at": "2024-02-15T00:00:00Z"}, "lookback_window": 60}, "steps": keep(*values)}
        yield {"stream": stream(cursor=dates(**more, global_substream_cursor=True), router=listed(["a"])), "state": state and {"use_global_cursor": True, "state": state, "lookback_window": 60}, "steps": keep(*values)}
    for state, start in itertools.product([None, {"at": 7}, {"at": 0}, {"at": "7"}, {"at": 2.5}, {"state_type": "integer", "slices": [{"start": 0, "end": 9, "most_recent_cursor_value": 8}]}], [None, 5, "{{ config['start'] }}", "x"]):
        cursor = {"type": "IncrementingCountCursor", "cursor_field": "at", "start_value_option": option("request_parameter", "since")} | ({"start_value": start} if start is not None else {})
        for values in [[8, 12, 3], [], [0], [1.5, 20]]:
            yield {"stream": stream(cursor=cursor), "config": {"start": "4"}, "state": state, "steps": [["next", 2], ["options", 0], ["keeps", 0, [{"at": 3}, {"at": 7}, {"at": 100}, {}]], ["observe", 0, [{"at": value} for value in values] + [{}]], ["close", 0], ["finish"]]}
    yield {"stream": stream(cursor={"type": "IncrementingCountCursor", "cursor_field": "at"}, router=listed(["a"])), "steps": steps}
    yield {"stream": stream(), "state": {"at": 1}, "steps": [["next", 2], ["close", 0], ["finish"]]}
    for least, (start, end, grain) in itertools.product([None, "P1D", "PT12H"], [("2024-01-01T00:00:00Z", "2024-01-31T00:00:00Z", "P1D"), ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "PT1H"), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", "PT1S"), ("2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "PT1S"), ("2024-01-01T00:00:00Z", "2024-01-01T10:00:00Z", "P1D"), ("2024-01-01T00:00:00Z", "2024-01-04T10:30:00Z", "P1D")]):
        yield {"stream": stream(cursor=dates(start, end_datetime=end, step="P1Y", cursor_granularity=grain)), "steps": [["next", 1], ["split", 0, least]]}
    for state in [{"at": "2024-02-01T00:00:00Z"}, {"at": None}, {"at": "x"}, {}, {"state": {"at": "2024-02-01T00:00:00Z"}}, {"__ab_no_cursor_state_message": True}, {"state_type": "date-range", "slices": [{"start": "2024-01-01T00:00:00Z", "end": "2024-01-10T00:00:00Z"}]}, {"state_type": "date-range", "slices": []}]:
        for made in [stream(cursor=dates()), stream(cursor=dates(), router=listed(["a"])), stream()]:
            yield {"stream": made, "steps": [["moment", state]]}


def orders(rng):
    """Slices that are closed in whatever order, some of them never."""
    for seed in range(120):
        step, grain = rng.choice([("P1W", "PT1S"), ("P10D", "P1D"), ("P1M", "PT0S"), ("P12D", "PT1S")])
        cursor = dates(step=step, cursor_granularity=grain, **rng.choice([{}, {"lookback_window": "P3D"}]))
        if rng.random() < 0.3:
            cursor |= {"cursor_datetime_formats": ["%Y-%m-%dT%H:%M:%S%z", ISO], "datetime_format": "%Y-%m-%dT%H:%M:%S%z", "start_datetime": "2024-01-01T00:00:00+0000"}
        state = rng.choice([None, {"at": "2024-01-20T10:00:00Z"}, {"at": "2024-01-20T10:00:00Z", "x": 1}])
        if "%z" in cursor["datetime_format"] and state:
            state = {"at": "2024-01-20T10:00:00+0000"}
        count = 10
        places = list(range(count))
        steps, order = [["next", 30]], rng.sample(places, rng.randint(2, 7))
        for place in order:
            moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=rng.randint(0, 70), seconds=rng.randint(0, 86399)) for _ in range(rng.randint(0, 3))]
            zone = rng.choice(["Z", "+02:00"]) if "%z" in cursor["datetime_format"] else "Z"
            records = [{"at": moment.strftime("%Y-%m-%dT%H:%M:%S") + zone} for moment in moments] + rng.choice([[], [{}], [{"at": "x"}]])
            steps += [["observe", place, records], ["close", place]]
        yield {"stream": stream(cursor=cursor), "state": state, "steps": steps + [["finish"]]}


def states_of(rng, keys, extra=None):
    moment = lambda: (datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=rng.randint(0, 1500))).strftime(ISO)
    shapes = [
        lambda: None,
        lambda: {"at": moment()},
        lambda: {"states": [{"partition": key, "cursor": {"at": moment()}} for key in keys[:2]]},
        lambda: {"states": [{"partition": key, "cursor": {"at": moment()}} for key in keys[1:]], "state": {"at": moment()}, "lookback_window": rng.choice([0, 30, 86400]), "use_global_cursor": False},
        lambda: {"state": {"at": moment()}, "lookback_window": 3600, "use_global_cursor": True},
        lambda: {"state": {"at": moment()}},
        lambda: {"states": []},
        lambda: {"__ab_no_cursor_state_message": True},
        lambda: {"states": [{"partition": {"gone": 1}, "cursor": {"at": moment(), "more": 1}}], "state": {"at": moment()}, "parent_state": {"p": {"at": moment()}}},
    ]
    return rng.choice(shapes)()


def play(rng, count, failing=0.15, ahead=0):
    """Slices pulled, observed and closed as by some workers, `ahead` of them at once."""
    steps, open_, pulled = [["next", ahead]] if ahead else [], list(range(ahead)), ahead
    while True:
        if rng.random() < 0.5 and pulled < count:
            steps.append(["next", 1])
            open_.append(pulled)
            pulled += 1
        elif open_:
            place = open_.pop(rng.randrange(len(open_)))
            moments = [datetime.datetime(2024, 1, 1) + datetime.timedelta(days=rng.randint(0, 66), seconds=rng.randint(0, 86399)) for _ in range(rng.randint(0, 2))]
            if rng.random() >= failing:
                steps += [["observe", place, [{"at": moment.strftime(ISO)} for moment in moments]], ["close", place]]
                if rng.random() < 0.4:
                    steps.append(["state"])
        elif pulled >= count:
            return steps + [["finish"]]


def partitions(rng):
    """Partitions from lists and their states."""
    keys = [{"k": "a"}, {"k": "b"}, {"k": "c"}]
    for seed in range(150):
        cursor = dates(**rng.choice([{}, {"step": "P1M", "cursor_granularity": "PT1S"}, {"lookback_window": "P2D"}, {"global_substream_cursor": True}]))
        apart = cursor.get("step") is not None
        values = rng.choice([["a", "b", "c"], ["a", "b", "a", "c"], ["a"]])
        distinct = len(set(values))
        yield {"stream": stream(cursor=cursor, router=listed(values)), "state": states_of(rng, keys), "steps": play(rng, distinct if not apart else 1, rng.choice([0, 0, 0.3]), 0 if distinct == len(values) else 9 if apart else 3)}
    for values in [["a", 1, 2.5, True], "{{ config['list'] }}", "{{ config['text'] }}", "{{ config['map'] }}", "{{ config['number'] }}", "['x', 'y']", "1,2", "", [], "{{ config['none'] }}"]:
        yield {"stream": stream(router=listed(values, request_option=option("request_parameter", "{{ config['text'] }}"))), "config": {"list": [1, "b", None, 0, [2]], "text": "ab", "map": {"q": 1, "r": 2}, "number": 5}, "steps": [["next", 9], ["options", 0], ["finish"]]}
        yield {"stream": stream(cursor=dates(), router=listed(values, "{{ parameters['key'] }}", **{"$parameters": {"key": "K"}})), "config": {"list": [1, "b", None, {"z": 1, "a": 2}], "text": "ab", "map": {"q": 1}}, "steps": [["next", 9], ["state"], ["finish"]]}
    both = [listed(["a", "b"], "x", request_option=option("request_parameter", "same")), listed([1, 0, ""], "y", request_option=option("request_parameter", "same")), listed(["q"], "z", request_option=option("header", "h"))]
    for routers in [both, both[:1], both[:2], [], [both[0], listed([], "w")], [listed(["1"], "x"), listed(["2"], "x")]]:
        for cursor in [None, dates(start_time_option=option("request_parameter", "same"), end_time_option=option("body_json", ["a", "b"])), dates(start_time_option=option("body_data", "s"), end_time_option=option("header", "h"))]:
            yield {"stream": stream(cursor=cursor, router=routers), "steps": [["next", 7], ["options", 0], ["options", 1], ["options", 2], ["finish"]]}
    yield {"stream": stream(cursor=dates(partition_field_start="k"), router=listed(["a"])), "steps": [["next", 1]]}
    for place in ["request_parameter", "header", "body_data", "body_json"]:
        yield {"stream": stream(cursor=dates(start_time_option=option(place, "from"), end_time_option=option(place, "to"))), "steps": [["next", 1], ["options", 0]]}
    yield {"stream": stream(cursor=dates(start_time_option=option("body_json", ["a", "b", "from"]), end_time_option=option("body_json", ["a", "b", "to"]))), "steps": [["next", 1], ["options", 0]]}
    legacy = [{"5": {"at": "2024-02-01T00:00:00Z"}, "6": {"at": "2024-02-02T00:00:00Z"}}, {"5": {"at": "2024-02-01T00:00:00Z", "x": 1}}, {"5": {"other": "2024-02-01T00:00:00Z"}}, {"at": "2024-02-01T00:00:00Z"}, {}, None, {"states": []}, {"state": {"at": "2024-02-01T00:00:00Z"}}, {"state": {"at": "2024-02-01T00:00:00Z"}, "5": {"at": "2024-02-01T00:00:00Z"}}, {"5": 1}]
    migration = [{"type": "LegacyToPerPartitionStateMigration"}]
    for state, router in itertools.product(legacy, [substream(link(stream("p"))), substream(link(stream("p")), link(stream("q"))), [substream(link(stream("p")))], listed(["5"], "pid")]):
        yield {"stream": stream(cursor=dates(), router=router, state_migrations=migration), "state": state, "records": {"p": [[{"id": "5"}, {"id": 6}]]}, "steps": [["next", 3], ["close", 0], ["finish"]]}


def parents(rng):
    """Partitions from parents, their states and when those move."""
    cut = {"step": "P1M", "cursor_granularity": "PT1S"}
    moment = lambda: (datetime.datetime(2024, 1, 1) + datetime.timedelta(days=rng.randint(0, 64), seconds=rng.randint(0, 86399))).strftime(ISO)
    counter = itertools.count(1)
    rows = lambda most: [{"id": next(counter), "at": moment()} | rng.choice([{}, {}, {"id": None}]) for _ in range(rng.randint(0, most))]
    for seed in range(220):
        parent = stream("p", dates(**rng.choice([{}, cut, cut, {"lookback_window": "P1D"}])))
        if rng.random() < 0.15:
            parent = stream("p")
        depth = rng.choice([1, 1, 1, 2, 2, 3])
        records = {"p": [rows(3) for _ in range(4)]}
        router = substream(link(parent, incremental_dependency=rng.random() < 0.8))
        names = ["p"]
        for level in range(depth - 1):
            name = f"m{level}"
            middle = stream(name, rng.choice([dates(), dates(**cut), dates(global_substream_cursor=True)]) if rng.random() < 0.85 else None, router)
            records[name] = [rows(2) for _ in range(14)]
            router = substream(link(middle, incremental_dependency=rng.random() < 0.8))
            names.append(name)
        if rng.random() < 0.15:
            other = stream("q", dates())
            records["q"] = [rows(3)]
            router["parent_stream_configs"].append(link(other, incremental_dependency=True, request_option=option("request_parameter", "q")))
        if rng.random() < 0.15:
            router = {"type": "GroupingPartitionRouter", "group_size": rng.choice([1, 2, 3]), "underlying_partition_router": router}
            for one in router["underlying_partition_router"]["parent_stream_configs"]:
                one.pop("request_option", None)
        child = stream("s", rng.choice([dates(), dates(), dates(**cut), dates(global_substream_cursor=True), None]), router)
        state = None
        if rng.random() < 0.6:
            inner = {"at": moment()}
            for name in names[1:]:
                inner = {"states": [], "state": {"at": moment()}, "lookback_window": 5, "use_global_cursor": False, "parent_state": {names[names.index(name) - 1]: inner}}
            state = rng.choice([
                {"states": [{"partition": {"pid": 1, "parent_slice": {}}, "cursor": {"at": moment()}}], "state": {"at": moment()}, "parent_state": {names[-1]: inner}, "lookback_window": 1, "use_global_cursor": False},
                {"state": {"at": moment()}, "use_global_cursor": True, "parent_state": {names[-1]: inner}},
                {"at": moment()},
                {"state": {"at": moment()}},
                {"__ab_no_cursor_state_message": True},
                {"parent_state": {}, "state": {"at": moment()}},
                {"parent_state": {"nobody": {"at": moment()}}},
            ])
        yield {"stream": child, "records": records, "state": state, "steps": play(rng, rng.randint(0, 5), rng.choice([0, 0, 0.25]))}
    nested = {"id": 1, "a": {"b": [{"c": "x"}, {"c": "y"}], "d": None, "e/f": 3, "0": "zero"}, "list": [10, 20, 30], "*": "star", "empty": "", "zero": 0, "at": "2024-02-01T00:00:00Z"}
    for key in ["id", "a/b/0/c", "a/b/1/c", "/id", "a/b/-1/c", "list/1", "list/-1", "list/x", "a/d", "a/none", "a/0", "*", "i?", "[ij]d", "a/b/*/c", "a/*/0/c", "**/c", "a/b", "empty", "zero", "a/e/f", "", "/", "li*/2", "{{ config['key'] }}", "at", "[!i]d"]:
        yield {"stream": stream(router=substream(link(stream("p"), key, request_option=option("header", "x")))), "config": {"key": "id"}, "records": {"p": [[nested]]}, "steps": [["next", 2], ["options", 0]]}
    for extra, lazy in itertools.product([None, [["id"], ["a", "b"], ["a", "none"]], [["a", "d"], ["{{ config['key'] }}"], ["at"], ["a", "b*"]], [["*"]]], [None, ["a", "b"], ["none"], ["a", "*"]]):
        more = ({"extra_fields": extra} if extra else {}) | ({"lazy_read_pointer": lazy} if lazy else {})
        for cursor in [None, dates()]:
            yield {"stream": stream(cursor=cursor, router=substream(link(stream("p"), **more))), "config": {"key": "id"}, "records": {"p": [[nested, {"id": 2}]]}, "steps": [["next", 3], ["finish"]]}
    teams = {"p": [[{"id": 1}, {"id": 2}, {"id": 1}, {"id": 3}, {"id": 4}]], "q": [[{"id": 4}, {"id": 5}]], "r": [[{"id": "x"}], [{"id": "x"}], [{"id": "y"}]]}
    union = {"type": "UnionPartitionRouter", "partition_field": "pid", "partition_routers": [listed(["1", "9"], "pid"), substream(link(stream("p", dates()), incremental_dependency=True)), substream(link(stream("q"), extra_fields=[["id"]]))]}
    routers = [union, union | {"partition_routers": union["partition_routers"][:1]}, union | {"partition_field": "other"}, union | {"partition_routers": [listed(["1"], "pid", request_option=option("header", "h")), listed(["2"], "pid")]},
               [substream(link(stream("p"))), listed(["a", "b"], "x")], [listed(["a", "b"], "x"), substream(link(stream("p"), extra_fields=[["id"]])), substream(link(stream("q"), field="qid"))],
               substream(link(stream("p")), link(stream("q"), field="qid", request_option=option("request_parameter", "q"))), substream(link(stream("r", router=listed(["o1", "o2", "o3"], "org")))), substream()]
    for size, deduplicate, inner in itertools.product([1, 2, 3, 0], [True, False, None], [substream(link(stream("p", dates()), incremental_dependency=True, extra_fields=[["id"], ["at"]])), listed(["a", "b", "a", "c"]), union, substream(link(stream("p"), request_option=option("header", "h")))]):
        routers.append({"type": "GroupingPartitionRouter", "group_size": size, "underlying_partition_router": inner} | ({} if deduplicate is None else {"deduplicate": deduplicate}))
    for router in routers:
        for cursor in [None, dates()]:
            yield {"stream": stream(cursor=cursor, router=router), "records": teams, "steps": [["next", 2], ["state"], ["next", 20], ["options", 0], ["options", 1], ["finish"]]}


def crowds():
    """More partitions than have cursors of their own. The limits are lower here, and in the test."""
    ConcurrentPerPartitionCursor.SWITCH_TO_GLOBAL_LIMIT, ConcurrentPerPartitionCursor.DEFAULT_MAX_PARTITIONS_NUMBER = 4, 7
    values = [f"v{place}" for place in range(10)]
    state = {"states": [{"partition": {"k": value}, "cursor": {"at": f"2024-02-0{place + 1}T00:00:00Z"}} for place, value in enumerate(values[2:7])], "state": {"at": "2024-01-10T00:00:00Z"}, "lookback_window": 86400}
    for count, start in itertools.product([3, 4, 5, 6, 8, 10], [None, state, {**state, "use_global_cursor": True}, {**state, "states": state["states"][:2]}]):
        for eager in [1, 3, 20]:
            steps, closed, pulled = [], 0, 0
            while closed < count:
                steps.append(["next", eager])
                pulled = min(count, pulled + eager)
                while closed < pulled:
                    steps += [["observe", closed, [{"at": f"2024-02-{10 + closed}T00:00:00Z"}]], ["keeps", closed, [{"at": "2024-01-09T00:00:00Z"}, {"at": "2024-01-10T00:00:00Z"}, {"at": "2024-02-03T00:00:00Z"}]], ["close", closed], ["state"]]
                    closed += 1
            yield {"crowd": True, "stream": stream(cursor=dates(), router=listed(values[:count])), "state": start, "steps": steps + [["next", 3], ["finish"]]}


def main():
    rng = random.Random(20240305)
    groups = {"windows": windows(), "oddities": oddities(), "orders": orders(rng), "partitions": partitions(rng), "parents": parents(rng), "crowds": crowds()}
    only = sys.argv[1:]
    out = []
    for name, cases in groups.items():
        made = []
        for case in cases:
            case = {key: value for key, value in case.items() if value is not None}
            # A sync ends when all slices have been made.
            case["steps"] = [step for one in case["steps"] for step in ([["next", 99], one] if one == ["finish"] else [one])]
            made.append({**case, "said": run(copy.deepcopy(case))} if not only or name in only else case)
        out.append(f"{json.dumps(name)}: [\n" + ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in made) + "\n]")
    print("{\n" + ",\n".join(out) + "\n}")


main()
