"""What was measured, as Markdown."""

from statistics import median

from tables import differing

BASE = "COPY, 1 connection"


def number(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def middle(runs, field):
    return median(run[field] for run in runs)


def table_of(result, head, rows):
    """A table. One of a busy machine has no times by the clock: they are worth nothing there."""
    keep = [at for at, name in enumerate(head) if not (result["busy"] and ("wall" in name or name == "speed"))]
    lines = [[row[at] if at < len(row) else "" for at in keep] for row in [head, ["---"] * len(head), *rows]]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def load(result, table):
    """The table of the first job."""
    rows = result["tables"][table]["rows"]
    by_peer = result["load"][table]
    base = by_peer.get(BASE)
    head = ["", "wall, s", "speed", "CPU, s per M rows", "server's CPU, s per M rows", "peak RSS, MiB", "files, MB", "arrived"]
    lines = []
    for name, peer in by_peer.items():
        runs = counted(peer["runs"])
        if peer["failure"]:
            lines.append([name, *[""] * 6, f"failed: {peer['failure']}"])
            continue
        per_million = 1e6 / rows
        speed = "" if base is None else speeds(base["runs"], peer["runs"])
        once = "" if len(runs) == result["rounds"] else f", measured {'once' if len(runs) == 1 else f'{len(runs)} times'}"
        lines.append(
            [
                name + once,
                number(middle(runs, "wall")),
                speed,
                number(middle(runs, "cpu") * per_million),
                number(middle(runs, "server") * per_million),
                f"{middle(runs, 'rss'):.0f}",
                *arrived(result, table, peer),
            ]
        )
    return table_of(result, head, lines)


def counted(runs):
    """All but the first, except of those that were asked once only."""
    return [run for run in runs if run["round"] > 0] or runs


def speeds(base, runs):
    """The ratios to the base in the same round: median, least and greatest."""
    walls = {run["round"]: run["wall"] for run in base}
    ratios = sorted(walls[run["round"]] / run["wall"] for run in counted(runs) if run["round"] in walls)
    return f"**{median(ratios):.2f}** ({ratios[0]:.2f}–{ratios[-1]:.2f})"


def arrived(result, table, peer):
    check = peer.get("check")
    if not check:
        return "", "nothing is written"
    source = result["tables"][table]
    wrong = []
    if check["rows"] != source["rows"]:
        wrong.append(f"**{check['rows']:,} rows of {source['rows']:,}**")
    sums = check["sums"]
    unequal = [column for column, value in source["sums"].items() if sums.get(column) != value]
    beyond = [column for column in unequal if sums.get(column, "").startswith("not comparable")]
    other = [column for column in unequal if column not in beyond]
    wrong += [f"**{column}: {sums.get(column)} instead of {source['sums'][column]}**" for column in other]
    wrong += differing(table, check["types"])
    # A sum that can't be made is of a column whose type is told already.
    told = "; ".join(wrong) or "all rows, types and sums"
    compression = "" if check["compression"] == ["ZSTD"] else f" ({', '.join(check['compression']).lower()})"
    return f"{check['bytes'] / 1e6:,.0f}{compression}", told


def increment(result):
    """The table of the second job."""
    head = ["", "how it finds what is new"]
    for kind in ("nothing new", "new rows"):
        head += [f"{kind}: wall, s", f"{kind}: CPU, s", f"{kind}: peak RSS, MiB"]
    head.append("rows read")
    lines = []
    for name, peer in result["increment"].items():
        if peer["failure"]:
            lines.append([name, peer["finds"], *[""] * 6, f"failed: {peer['failure']}"])
            continue
        cells = [name, peer["finds"]]
        for kind in ("nothing", "new"):
            runs = peer[kind]
            cells += [f"{middle(runs, 'wall'):.3f}", f"{middle(runs, 'cpu'):.3f}", f"{middle(runs, 'rss'):.0f}"]
        read = sorted(set(peer["read"]))
        right = all(row == result["new_rows"] for row in read)
        cells.append(f"{result['new_rows']:,}" if right else f"**{', '.join(map(str, read))} of {result['new_rows']:,}**")
        lines.append(cells)
    return table_of(result, head, lines)


def late(result):
    """The table of the third job."""
    lines = ["| | how it finds what is new | rows lost | which | rows read twice |", "|---|---|---|---|---|"]
    for peer in result["late"]:
        if peer["failure"]:
            lines.append(f"| {peer['name']} | {peer['finds']} | failed: {peer['failure']} | | |")
            continue
        lost = peer["lost"]
        which = ", ".join(f"{count} {kind}" for kind, count in lost.items())
        lines.append(
            f"| {peer['name']} | {peer['finds']} | {sum(lost.values()) or 0:,} of {peer['rows']:,} | {which} | {peer['doubled']:,} |"
        )
    return lines


def versions(result):
    lines = ["| | version | settings |", "|---|---|---|"]
    return lines + [f"| {peer['name']} | {peer['version']} | {peer['settings']} |" for peer in result["peers"]]


def markdown(result):
    machine = result["machine"]
    lines = [
        f"# {result['date']}: tidegate beside other tools",
        "",
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory']}, shared with PostgreSQL {machine['postgres']}; "
        f"scale {result['scale']}, medians of {result['rounds']} rounds. In a round everyone works once, in turn, and each round "
        "begins with another; one round before them is not counted. How, and what is unfair: "
        "[benches/peers](../peers/README.md).",
        "",
    ]
    if result["note"]:
        lines += [result["note"], ""]
    for table in result["load"]:
        lines += [f"## First load: {table}, {result['tables'][table]['rows']:,} rows", "", *load(result, table), ""]
    if result["load"]:
        if not result["busy"]:
            lines.append("*Speed* is the time of one COPY connection in the same round by one's own: median, least and greatest.")
        lines += [
            "CPU is that of the tool; *the server's* is that of the sessions it opened. *Arrived* compares rows, types and "
            "some sums with the server's.",
            "",
        ]
    if result["increment"]:
        rows = result["tables"]["payments"]["rows"]
        lines += [
            f"## Increments: payments, {result['new_rows']:,} of {rows:,} rows changed",
            "",
            *increment(result),
            "",
        ]
        lines += [f"- {name}: no increments here, {why}." for name, why in result["without"].items()] + [""]
    if result["late"]:
        lines += ["## Rows of transactions that commit late", "", *late(result), ""]
        lines += ["Of each kind there are 500 rows; [late.py](../peers/late.py) says what happens when.", ""]
    lines += ["## Versions and settings", "", *versions(result), ""]
    lines += [f"- {name} was not run: {why}" for name, why in result["not_run"].items()]
    lines += ["", "```sh", result["command"], "```", ""]
    return "\n".join(lines)
