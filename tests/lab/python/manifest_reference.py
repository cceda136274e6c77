"""Runs airbyte-cdk over the manifests of tests/manifests and writes down what it did, as `golden.json` of each case.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1 and time-machine:
    python manifest_reference.py [--check] [--errors] [NAME ...]
Without names it runs all. `--errors` shows what the reference complained of. `--check` writes nothing and fails where the reference says something else than the goldens.

A case is a folder with `manifest.yaml`, `api.py` (see manifest_api.py), `config.json` and, where something is unusual,
`case.json`. The clock stands at `now` of each sync; waiting takes no time. Each command runs in a process of its own.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
CASES = HERE.parents[1] / "manifests"
SERVER, OTHER = "http://server.test", "http://other.test"
NOW = ["2024-03-01T12:00:00Z", "2024-03-05T12:00:00Z"]


class Orders:
    """The process that serves the APIs."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen([sys.executable, HERE / "manifest_api.py", str(self.port)])
        for _ in range(200):
            try:
                self.order("GET", "/")
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the APIs do not start")

    def order(self, method, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        return json.load(urllib.request.urlopen(request, timeout=60))


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def multiset(values):
    return sorted(values, key=canonical)


def freeze(now, advances):
    import airbyte_cdk.sources.streams.http.rate_limiting  # noqa: F401
    import time_machine

    real = time.sleep
    traveller = time_machine.travel(now, tick=False)
    moving = traveller.start()
    lock = threading.Lock()

    def sleep(seconds):
        if advances and seconds > 0:
            with lock:
                moving.shift(seconds)
        real(min(seconds, 0.002))

    time.sleep = sleep


def command(arguments, now, advances, output):
    """Runs a command of the reference in a child process and returns its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        os.setsid()
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(os.open(f"{output}.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stdout = os.fdopen(1, "w")
        sys.argv = ["source-declarative-manifest", *arguments]
        freeze(now, advances)
        sys.path.insert(0, os.getcwd())
        from airbyte_cdk.cli.source_declarative_manifest import _run

        threading.Timer(300, lambda: os._exit(99)).start()
        _run.handle_command(arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Case:
    def __init__(self, name, orders):
        self.name, self.folder, self.orders = name, CASES / name, orders
        options = self.folder / "case.json"
        self.options = json.loads(options.read_text()) if options.exists() else {}
        self.now = self.options.get("now", NOW)
        self.port = orders.order("POST", f"/open?case={name}")["port"]
        self.scratch = tempfile.TemporaryDirectory(prefix="tidegate-reference-")
        self.work = pathlib.Path(self.scratch.name)
        config = self.folder / "config.json"
        self.config = json.loads(self.here(config.read_text())) if config.exists() else {}
        for path in self.folder.rglob("*"):
            if path.suffix in (".yaml", ".json") and path.is_file():
                copy = self.work / path.relative_to(self.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(self.here(path.read_text()))
        for folder in filter(pathlib.Path.is_dir, self.work.iterdir()):
            # The reference finds schema files in what Python can import.
            (folder / "__init__.py").touch()

    def here(self, text):
        return text.replace(SERVER, f"http://127.0.0.1:{self.port}").replace(OTHER, f"http://localhost:{self.port}")

    def there(self, value):
        text = json.dumps(value)
        text = text.replace(f"http://127.0.0.1:{self.port}", SERVER).replace(f"http://localhost:{self.port}", OTHER)
        return json.loads(text.replace(f"127.0.0.1:{self.port}", "server.test"))

    def run(self, verb, sync, **files):
        arguments = [verb, "--config", self.file("config.json", self.config)]
        for option, value in files.items():
            arguments += [f"--{option}", self.file(f"{option}.json", value)]
        arguments += ["--manifest-path", str(self.work / "manifest.yaml")]
        output = self.work / f"{verb}{sync}.out"
        os.chdir(self.work)
        code = command(arguments, self.now[sync], self.options.get("waits_move_the_clock", False), output)
        messages = []
        for line in output.read_text().splitlines():
            try:
                messages.append(json.loads(line))
            except ValueError:
                print(f"{self.name}: no message: {line[:200]}", file=sys.stderr)
        for message in messages:
            if message["type"] == "CONTROL":
                self.config = message["control"]["connectorConfig"]["config"]
                self.config.pop("__injected_declarative_manifest", None)
            if message["type"] == "TRACE" and message["trace"]["type"] == "ERROR" and "--errors" in sys.argv:
                error = message["trace"]["error"]
                print(f"{self.name} {verb}: {error['message']}: {error.get('internal_message')}", file=sys.stderr)
        if code and "--errors" in sys.argv:
            print(pathlib.Path(f"{output}.err").read_text()[-1500:], file=sys.stderr)
        return code, messages

    def file(self, name, value):
        path = self.work / f"run-{name}"
        path.write_text(json.dumps(value))
        return str(path)

    def requests(self):
        log = self.orders.order("GET", f"/log?port={self.port}")
        return multiset(self.there(log))

    def golden(self):
        code, messages = self.run("check", 0)
        status = [m["connectionStatus"]["status"] for m in messages if m["type"] == "CONNECTION_STATUS"]
        golden = {"check": {"status": (status or ["ERROR"])[-1], "requests": self.requests()}}
        code, messages = self.run("discover", 0)
        catalog = [m["catalog"] for m in messages if m["type"] == "CATALOG"]
        if not catalog:
            golden["discover"] = {"exit": code, "requests": self.requests()}
            return golden
        golden["discover"] = {
            "exit": code, "requests": self.requests(),
            "streams": {s["name"]: self.there(s) for s in catalog[0]["streams"]},
        }
        state = self.options.get("state", [])
        golden["first"], state = self.sync(catalog[0], 0, json.loads(self.here(json.dumps(state))))
        self.orders.order("POST", f"/phase?port={self.port}")
        golden["second"], _ = self.sync(catalog[0], 1, state)
        self.orders.order("POST", f"/close?port={self.port}")
        return golden

    def sync(self, catalog, number, state):
        streams = [configured(s) for s in catalog["streams"] if s["name"] not in self.options.get("unread", [])]
        files = {"catalog": {"streams": streams}}
        if state:
            files["state"] = state
        code, messages = self.run("read", number, **files)
        records, states, statuses, kinds = {}, {m["stream"]["stream_descriptor"]["name"]: m for m in state}, {}, []
        for message in messages:
            if message["type"] == "RECORD":
                record = message["record"]
                records.setdefault(record["stream"], []).append(self.there(record["data"]))
            elif message["type"] == "STATE":
                kept = settled({"type": "STREAM", "stream": message["state"]["stream"]})
                states[kept["stream"]["stream_descriptor"]["name"]] = kept
            elif message["type"] == "TRACE" and message["trace"]["type"] == "STREAM_STATUS":
                status = message["trace"]["stream_status"]
                statuses[status["stream_descriptor"]["name"]] = status["status"]
            elif message["type"] == "TRACE" and message["trace"]["type"] == "ERROR":
                kinds.append(message["trace"]["error"].get("failure_type"))
        result = {
            "records": {name: multiset(found) for name, found in sorted(records.items())},
            "state": {name: sorted_states(self.there(m["stream"]["stream_state"])) for name, m in sorted(states.items())},
            "statuses": dict(sorted(statuses.items())),
            "exit": code,
            "requests": self.requests(),
        }
        if code:
            result["failures"] = sorted(set(filter(None, kinds)))
        if controls := [m for m in messages if m["type"] == "CONTROL"]:
            config = dict(controls[-1]["control"]["connectorConfig"]["config"])
            config.pop("__injected_declarative_manifest", None)
            result["config"] = self.there(config)
        return result, list(states.values())


def settled(value):
    """Without what depends on how long the sync took. New partitions start that much earlier in the next one."""
    if not isinstance(value, dict):
        return value
    return {k: 1 if k == "lookback_window" and v else settled(v) for k, v in value.items()}


def sorted_states(state):
    if isinstance(state, dict) and isinstance(state.get("states"), list):
        return {**state, "states": multiset(state["states"])}
    return state


def configured(stream):
    modes = stream["supported_sync_modes"]
    return {
        "stream": stream,
        "sync_mode": "incremental" if "incremental" in modes else "full_refresh",
        "destination_sync_mode": "append",
    }


def written(golden):
    """One record, request or state a line: what changes shows in a diff."""
    def lines(value, depth):
        pad = " " * depth
        if depth < 4 and isinstance(value, dict) and value:
            inner = ",\n".join(f"{pad} {json.dumps(k)}: {lines(v, depth + 1)}" for k, v in value.items())
            return f"{{\n{inner}\n{pad}}}"
        if isinstance(value, list) and value:
            inner = ",\n".join(f"{pad} {json.dumps(v, sort_keys=True, ensure_ascii=False)}" for v in value)
            return f"[\n{inner}\n{pad}]"
        return json.dumps(value, sort_keys=True, ensure_ascii=False)

    return lines(golden, 0) + "\n"


def main():
    names = [n for n in sys.argv[1:] if not n.startswith("--")]
    names = names or sorted(p.parent.name for p in CASES.glob("*/manifest.yaml"))
    checks, failed = "--check" in sys.argv, []
    # Once, before the commands are forked from here.
    from airbyte_cdk.cli.source_declarative_manifest import _run  # noqa: F401
    import airbyte_cdk.sources.declarative.parsers.model_to_component_factory  # noqa: F401

    orders = Orders()
    try:
        for name in names:
            start = time.monotonic()
            golden = written(Case(name, orders).golden())
            path, said = CASES / name / "golden.json", ""
            if checks and (not path.exists() or path.read_text() != golden):
                failed.append(name)
                said = " DIFFERS"
            elif not checks:
                path.write_text(golden)
            print(f"{name}: {time.monotonic() - start:.1f} s{said}", file=sys.stderr)
    finally:
        orders.process.terminate()
    if failed:
        raise SystemExit(f"the reference says something else than the goldens of: {', '.join(failed)}")


if __name__ == "__main__":
    main()
