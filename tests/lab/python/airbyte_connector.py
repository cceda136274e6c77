"""A connector that speaks Airbyte's protocol: people with rising numbers, a state after every ten of them.

Its configuration: `people` (how many there are), `fail_after` (break off after so many), `die_after` (be killed after so
many, unless the file `died` is there), `token` (which it prints).
"""

import json
import os
import signal
import sys

STREAM = {
    "name": "people",
    "json_schema": {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": ["null", "string"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    },
    "supported_sync_modes": ["full_refresh", "incremental"],
    "source_defined_cursor": True,
    "default_cursor_field": ["id"],
    "source_defined_primary_key": [["id"]],
}


def say(**message):
    print(json.dumps(message), flush=True)


def file(option):
    if option not in sys.argv:
        return None
    with open(sys.argv[sys.argv.index(option) + 1]) as opened:
        return json.load(opened)


def read(config):
    [configured] = file("--catalog")["streams"]
    [state] = file("--state") or [None]
    last = state["stream"]["stream_state"]["id"] if state else 0
    say(type="LOG", log={"level": "INFO", "message": f"signed in with {config.get('token')}"})
    print("a line that is no message", flush=True)
    for count, number in enumerate(range(last + 1, config["people"] + 1)):
        if count == config.get("fail_after"):
            error = {"message": f"no more for {config.get('token')}", "failure_type": "config_error"}
            say(type="TRACE", trace={"type": "ERROR", "emitted_at": 0, "error": error})
            sys.exit(1)
        if count == config.get("die_after") and not os.path.exists(config["died"]):
            open(config["died"], "w").close()
            print('{"type": "RECORD", "record": {"stream": "peo', end="", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        data = {"id": number, "name": None if number % 7 == 0 else f"n{number}", "tags": ["a"], "more": 1}
        say(type="RECORD", record={"stream": "people", "data": data, "emitted_at": 0})
        if number % 10 == 0 or number == config["people"]:
            stream = {"stream_descriptor": {"name": "people"}, "stream_state": {"id": number}}
            say(type="STATE", state={"type": "STREAM", "stream": stream, "sourceStats": {"recordCount": 10.0}})
    assert configured["stream"]["name"] == "people"


def main():
    verb = sys.argv[1]
    config = file("--config") or {}
    if verb == "check":
        good = "people" in config
        message = None if good else f"there is no `people` beside {config.get('token')}"
        say(type="CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED" if good else "FAILED", "message": message})
    elif verb == "discover":
        say(type="CATALOG", catalog={"streams": [STREAM]})
    elif verb == "read":
        assert os.environ.get("CONNECTOR_REGION") == "north"
        read(config)


main()
