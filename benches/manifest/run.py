"""Manifests read by tidegate and by airbyte-cdk, in turn on the same machine: CPU seconds, memory, start.

    cargo build --release
    python benches/manifest/run.py --reference PYTHON [--records 200000] [--rounds 3]

PYTHON is a Python 3.11 with airbyte-cdk 7.39.1; without it only tidegate runs. The figures go to
`benches/results/DATE-manifest.md` too. A server of this script's own hands out
pages that were made before, so what is measured is the client: 7 fields, 1,000 records a page, messages to /dev/null.
The best of the rounds counts; the last columns are tidegate reading the same stream into Parquet.
"""

import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = 1000


def record(number):
    return {
        "id": number, "name": f"customer number {number}", "email": f"customer.{number}@example.com", "amount": number * 1.25,
        "active": number % 2 == 0, "created_at": f"2024-01-{1 + number % 28:02}T{number % 24:02}:00:00Z",
        "address": {"city": f"city {number % 100}", "zip": f"{number % 99999:05}"},
    }


def serve(records):
    """In a process of its own: prints the port and answers until it is stopped."""
    pages = [json.dumps([record(n) for n in range(start, min(start + PAGE, records))]).encode() for start in range(0, records, PAGE)]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self):
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            number = int(query.get("page", 1)) - 1
            body = pages[number] if number < len(pages) else b"[]"
            self.send_response_only(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"}, "name": {"type": "string"}, "email": {"type": ["string", "null"]}, "amount": {"type": "number"},
        "active": {"type": "boolean"}, "created_at": {"type": "string", "format": "date-time"},
        "address": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "string"}}},
    },
}


def stream(name, port, **more):
    selector = {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": []}, **more.pop("selector", {})}
    paginator = {
        "type": "DefaultPaginator", "pagination_strategy": {"type": "PageIncrement", "page_size": PAGE, "start_from_page": 1},
        "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "page"},
    }
    requester = {"type": "HttpRequester", "url_base": f"http://127.0.0.1:{port}", "path": "customers", "http_method": "GET"}
    return {
        "type": "DeclarativeStream", "name": name, "primary_key": "id", "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA},
        "retriever": {"type": "SimpleRetriever", "requester": requester, "record_selector": selector, "paginator": paginator}, **more,
    }


def manifest(streams):
    return {
        "version": "6.0.0", "type": "DeclarativeSource", "check": {"type": "CheckStream", "stream_names": [streams[0]["name"]]}, "streams": streams,
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def cases(port):
    added = [{"type": "AddFields", "fields": [
        {"path": ["label"], "value": "{{ record['name'] }} <{{ record.email }}>"},
        {"path": ["city"], "value": "{{ record['address']['city'] | upper }}"}]}]
    cursor = {
        "type": "DatetimeBasedCursor", "cursor_field": "created_at", "datetime_format": "%Y-%m-%dT%H:%M:%SZ", "start_datetime": "2024-01-01T00:00:00Z",
        "start_time_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "since"},
    }
    yield "plain", stream("plain", port)
    yield "two templates", stream("added", port, transformations=added)
    yield "normalised", stream("normal", port, selector={"schema_normalization": "Default"})
    yield "filtered", stream("filtered", port, selector={"record_filter": {"type": "RecordFilter", "condition": "{{ record.active }}"}})
    yield "cursor", stream("cursor", port, incremental_sync=cursor)


def spent(command, folder):
    """CPU and wall seconds, and the most memory in MiB."""
    start = time.monotonic()
    with open(os.devnull, "wb") as nothing, open(folder / "errors", "wb") as errors:
        process = subprocess.Popen(command, stdout=nothing, stderr=errors, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command}: {process.returncode}\n{(folder / 'errors').read_text()[-2000:]}")
    return {"cpu": usage.ru_utime + usage.ru_stime, "wall": time.monotonic() - start, "rss": usage.ru_maxrss / 1024}


def best(commands, folder, rounds):
    """The commands in turn, so that what else the machine does meets all of them."""
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            runs[name].append(spent(command, folder))
    return {name: {key: min(run[key] for run in all) for key in all[0]} for name, all in runs.items()}


def command(binary, reference, verb, **files):
    options = [text for option, path in files.items() for text in (f"--{option.replace('_', '-')}", str(path))]
    ours = [str(binary), "airbyte", verb, *options]
    theirs = [reference, "-c", "from airbyte_cdk.cli.source_declarative_manifest._run import run; run()", verb, *options]
    return {"tidegate": ours} | ({"airbyte-cdk": theirs} if reference else {})


def project(folder, path, name):
    """A configuration of tidegate that reads the stream into Parquet."""
    cursor = {"cursor": "created_at"} if name == "cursor" else {}
    (folder / "tidegate.yaml").write_text(json.dumps({
        "sources": {"api": {"type": "manifest", "path": str(path)}},
        "destinations": {"lake": {"type": "parquet", "url": "./lake"}},
        "connections": {"one": {"source": "api", "destination": "lake", "streams": [{"name": name, **cursor}]}},
    }))


def big(port):
    """A manifest of 1 MB: 400 streams with long schemas by reference."""
    streams = []
    for number in range(400):
        one = stream(f"stream_{number}", port)
        one["schema_loader"]["schema"] = {"type": "object", "properties": {f"field_{n}_of_{number}": {"type": ["null", "string"], "description": "x" * 20} for n in range(20)}}
        streams.append(one)
    return manifest(streams)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference")
    parser.add_argument("--binary", default=ROOT / "target/release/tidegate", type=pathlib.Path)
    parser.add_argument("--records", default=200_000, type=int)
    parser.add_argument("--rounds", default=3, type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--serve", action="store_true")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    if options.serve:
        return serve(options.records)
    server = subprocess.Popen([sys.executable, __file__, "--serve", "--records", str(options.records)], stdout=subprocess.PIPE, text=True)
    try:
        measure(options, int(server.stdout.readline()))
    finally:
        server.terminate()


class Report:
    """What is printed, kept for the file of results."""

    def __init__(self):
        self.lines = []

    def say(self, line=""):
        self.lines.append(line)
        print(line, flush=True)

    def save(self):
        path = ROOT / "benches/results" / f"{datetime.date.today()}-manifest.md"
        path.write_text("\n".join(self.lines) + "\n")


def machine():
    names = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{len(names)} cores ({names[0]})" if names else f"{os.cpu_count()} cores"


def measure(options, port):
    report = Report()
    report.say(f"# {datetime.date.today()}: manifests, tidegate beside airbyte-cdk")
    report.say()
    report.say(f"{machine()}; {options.records:,} records of 7 fields, {PAGE:,} a page, from a local server whose pages are made before; "
               f"the best of {options.rounds} rounds, in which both work in turn. How: [benches/manifest](../manifest/run.py).")
    report.say()
    report.say("| stream | tidegate records/CPU s | airbyte-cdk records/CPU s | ratio | tidegate wall s | airbyte-cdk wall s | tidegate MiB | airbyte-cdk MiB | into Parquet records/CPU s | MiB |")
    report.say("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for title, one in cases(port):
        if options.only and title not in options.only.split(","):
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            files = {"manifest_path": folder / "manifest.yaml", "config": folder / "config.json", "catalog": folder / "catalog.json"}
            files["manifest_path"].write_text(json.dumps(manifest([one])))
            files["config"].write_text("{}")
            mode = "incremental" if "incremental_sync" in one else "full_refresh"
            described = {"name": one["name"], "json_schema": SCHEMA, "supported_sync_modes": [mode]}
            chosen = {"stream": described, "sync_mode": mode, "destination_sync_mode": "append"}
            files["catalog"].write_text(json.dumps({"streams": [chosen]}))
            found = best(command(options.binary, options.reference, "read", **files), folder, options.rounds)
            project(folder, files["manifest_path"], one["name"])
            parquet = best({"parquet": [str(options.binary), "sync"]}, folder, 1)["parquet"]
            row(report, title, options.records, found, parquet)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / "manifest.yaml"
        path.write_text(json.dumps(big(port)))
        (folder / "config.json").write_text("{}")
        report.say(f"\nA manifest of {path.stat().st_size / 1e6:.1f} MB, wall and CPU seconds:\n")
        for verb in ("spec", "discover"):
            files = {"manifest_path": path} | ({"config": folder / "config.json"} if verb != "spec" else {})
            found = best(command(options.binary, options.reference, verb, **files), folder, options.rounds)
            report.say(f"- {verb}: " + ", ".join(f"{who} {run['wall']:.2f} / {run['cpu']:.2f} ({run['rss']:.0f} MiB)" for who, run in found.items()))
    report.save()


def row(report, title, records, found, parquet):
    ours, theirs = found["tidegate"], found.get("airbyte-cdk")
    rate = records / ours["cpu"]
    other = [f"{records / theirs['cpu']:,.0f}", f"{rate / (records / theirs['cpu']):.1f}", f"{theirs['wall']:.1f}", f"{theirs['rss']:.0f}"] if theirs else ["-"] * 4
    report.say(f"| {title} | {rate:,.0f} | {other[0]} | {other[1]} | {ours['wall']:.2f} | {other[2]} | {ours['rss']:.0f} | {other[3]} | {records / parquet['cpu']:,.0f} | {parquet['rss']:.0f} |")


if __name__ == "__main__":
    main()
