# SPDX-License-Identifier: MIT
"""Writes results as tables: the same results are the same text, byte by byte.

What is written stands between two markers of docs/performance.md, and of README.md; the results
themselves, with every sample, are docs/performance/results.json, and plots are beside them. `check`
compares: what stands there has to be what these results are written as, with a row for everything
that is measured today.
"""
import json
import pathlib
import re
import statistics

from . import plot
from .contenders import OURS

BEGIN, END = "<!-- made by `make bench`: begin -->", "<!-- made by `make bench`: end -->"
WHEN = "2026-11-29"
DASH = "–"
RAW = ("raw epoll", "raw io_uring", "raw relay", "posix_spawn", "posix_spawn, four descriptors")
# Columns of a section's table, in this order; what is not named comes behind.
ORDER = [*RAW, *OURS, "client.js", "libwebsockets", "nginx", "lighttpd"]


# ---- one cell ----


def middle(cell):
    return statistics.median(cell["samples"]) if cell and "samples" in cell else None


def spread(samples):
    """Quartiles; of less than five samples the ends."""
    if len(samples) < 5:
        return min(samples), max(samples)
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, high


def show_cell(row, cell):
    if not cell:
        return DASH
    if "absent" in cell:
        return cell["absent"].replace("|", "/")
    low, high = spread(cell["samples"])
    text = row.show(middle(cell))
    if row.show(low) == row.show(high):
        return text
    return f"{text} ({row.show(low)}{DASH}{row.show(high)})"


def show_mine(row, name, cell):
    """With a mark if the goal is reached, or not."""
    text = show_cell(row, cell)
    value = middle(cell)
    reached = None if value is None else row.reached(name, value)
    return text if reached is None else f"{'✓' if reached else '✗'} {text}"


def show_goal(row):
    sign = "≥" if row.better == "more" else "≤"
    if not row.goal:
        return DASH
    if not isinstance(row.goal, tuple):
        return f"{sign} {row.show(row.goal)}"
    return ", ".join(f"{sign} {row.show(n)} {name.split(', ')[1]}" for name, n in row.goal)


def is_peer(name):
    return name not in RAW and not name.startswith("ours") and name != "client.js"


def best_peer(row, entry):
    """(name, cell) of the best that is neither ours nor a raw loop; a ratio's base is 1."""
    found = {
        name: cell
        for name, cell in entry["cells"].items()
        if is_peer(name) and middle(cell) is not None
    }
    base = entry.get("base", {}).get("name", "").split(",")[0]
    if base and is_peer(base):
        found[base] = {"samples": [1.0]}
    pick = max if row.better == "more" else min
    return pick(found.items(), key=lambda item: middle(item[1]), default=(None, None))


def show_best(row, entry):
    name, cell = best_peer(row, entry)
    return f"{name} {row.show(middle(cell))}" if name else DASH


def show_before(row):
    return "; ".join(f"{name} {text}" for name, text in row.before) or DASH


# ---- tables ----


def table(head, rows):
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, rule, *rows))


def summary(sections, rows):
    head = ["work", "counted as", "goal", *OURS, "best peer", f"on {WHEN}"]
    lines = []
    for section in sections:
        for row in section.rows:
            if not row.goal and not row.before:
                continue
            cells = rows[row.id]["cells"]
            if "client.js" in cells:
                mine = [show_mine(row, OURS[0], cells["client.js"]), ""]
            else:
                mine = [show_mine(row, name, cells.get(name)) for name in OURS]
            lines.append(
                [
                    row.what,
                    row.unit,
                    show_goal(row),
                    *mine,
                    show_best(row, rows[row.id]),
                    show_before(row),
                ]
            )
    return table(head, lines)


def columns(entries):
    names = {name: None for entry in entries for name in entry["cells"]}
    known = [name for name in ORDER if name in names]
    return known + [name for name in names if name not in ORDER]


def section_table(section, rows):
    """All contenders of a section."""
    entries = [(row, rows[row.id]) for row in section.rows]
    names = columns([entry for _, entry in entries])
    based = any("base" in entry for _, entry in entries)
    lines = []
    for row, entry in entries:
        base = entry.get("base")
        shown = [f"{base['name']}: {si(base['rate'])}" if base else DASH] if based else []
        cells = [show_cell(row, entry["cells"].get(name)) for name in names]
        lines.append([row.what, row.unit, *shown, *cells])
    return table(["", "counted as", *(["1 is, for a CPU second"] if based else []), *names], lines)


def si(number):
    for size, sign in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{sign}"
    return f"{number:.3g}"


# ---- what some rows have beside ----


def extra_sessions(section, rows):
    lines = []
    for row in section.rows:
        relay = rows[row.id].get("relay", {})
        if relay:
            shown = "; ".join(f"{name} {ratio:.2f}" for name, ratio in relay.items())
            lines.append(wrap(f"* {row.what}: {shown}.").replace("\n", "\n  "))
    if not lines:
        return ""
    return "Nothing taken off, as a ratio to the raw relay (1: as cheap as moving bytes):\n\n" + (
        "\n".join(lines)
    )


def extra_latency(section, rows):
    names = columns([{"cells": rows[row.id].get("percentiles", {})} for row in section.rows])
    lines = []
    for row in section.rows:
        found = rows[row.id].get("percentiles", {})
        for name in names:
            if name in found:
                lines.append([row.what.split(":")[0], name, *(row.show(n) for n in found[name])])
    return table(["", "µs", "p50", "p99", "p99.9", "max"], lines) if lines else ""


def extra_growth(section, rows):
    most = rows["connections"]
    walls = [
        f"* {name.removeprefix('wall of ')}: {text}."
        for name, text in most.items()
        if name.startswith("wall of ")
    ]
    if not walls:
        return ""
    limit = f"{most['descriptor limit']:,}".replace(",", " ")
    return (
        f"What ended the counting (a process here may have {limit} descriptors):\n\n"
        + "\n".join(walls)
    )


def extra_calls(section, rows):
    found = rows[section.rows[0].id].get("counts")
    if not found:
        return ""
    head = ["in one process, for a message", "instructions", "system calls", "allocations"]
    lines = [
        [
            name,
            f"{n['instructions']:,.0f}".replace(",", " "),
            str(n["calls"]),
            str(n["allocations"]),
        ]
        for name, n in found["rows"].items()
    ]
    return f"{table(head, lines)}\n\nCounted by {found['machine'] or 'callgrind'}."


EXTRAS = {
    "sessions": extra_sessions,
    "latency": extra_latency,
    "growth": extra_growth,
    "calls": extra_calls,
}


# ---- the whole ----


def wrap(text, width=98):
    """As prose is laid out here; code and tables are not handed to it."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def describe_machine(m):
    versions = ", ".join(f"{name} {text}" for name, text in sorted(m["versions"].items()))
    before, after = m["load"]
    kind = (
        "A short run (`--quick`): the spread says how little it means. "
        if m["mode"] == "quick"
        else ""
    )
    return wrap(
        f"{kind}{m['date']}, commit {m['commit']}: {m['cpu']}, {m['cpus']} CPUs, {m['memory_gib']} GiB, "
        f"{m['kernel']}, {m['system']}, {m['compiler']}. The run took {m['minutes']} minutes; the load "
        f"average was {before} before and {after} at its end, and other processes used "
        f"{m['others_percent']} % of the CPUs meanwhile. Versions: {versions}."
    )


def describe_other_runs(section, rows):
    """Of rows that stand beside those of the page's run."""
    runs = [rows[row.id]["run"] for row in section.rows if "run" in rows[row.id]]
    told = {
        f"Measured in another run than the rest of this page: {m['date']}, commit {m['commit']}, "
        f"{m['minutes']} minutes; the load average was {m['load'][0]} before and {m['load'][1]} at "
        f"its end, and other processes used {m['others_percent']} % of the CPUs meanwhile.": None
        for m in runs
    }
    return [wrap(text) for text in told]


def render(sections, results):
    m, rows = results["machine"], results["rows"]
    parts = [
        describe_machine(m),
        "### The goals",
        summary(sections, rows),
        wrap(
            f"✓ reached, ✗ not reached. *Best peer* was measured in the same run. The figures of {WHEN} "
            "are of the issue that set the goals, of another run, with µWebSockets (-O3 -flto), "
            "which this command can't fetch. In parentheses are the quartiles over the rounds, or the "
            "ends if there are less than five."
        ),
    ]
    for section in sections:
        parts += [f"### {section.title}", wrap(section.text)]
        parts += [*describe_other_runs(section, rows), section_table(section, rows)]
        picture = plot.FILES.get(section.id)
        if picture:
            parts.append(f"![{picture.title}](performance/{picture.file})")
        extra = EXTRAS[section.id](section, rows) if section.id in EXTRAS else ""
        if extra:
            parts.append(extra)
    return "\n\n".join(parts)


def readme_line(results):
    """A few figures; the table has all."""
    rows = results["rows"]

    def figure(row, name, form):
        value = middle(rows[row]["cells"].get(name))
        return form(value) if value is not None else "not measured"

    def ratio(value):
        return f"{value:.2f}"

    by_epoll = figure("echo-20-100", OURS[0], ratio)
    peer = figure("echo-20-100", "libwebsockets", ratio)
    topic = figure("topic-16", OURS[0], si)
    idle = figure("memory-connection", OURS[0], lambda n: f"{n:.0f}")
    return wrap(
        f"* **Measured.** An echo of 20 bytes has {by_epoll} of the speed of a raw epoll loop that "
        f"moves the same bytes (libwebsockets {peer}); a CPU second gives {topic} events of a topic "
        f"to sessions; an idle connection takes {idle} bytes. "
        "[docs/performance.md](docs/performance.md) has the table, what it is beside, and `make "
        "bench` makes it anew."
    ).replace("\n", "\n  ")


def put_between(text, inside):
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise SystemExit("the markers are not there, or twice")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n\n{inside}\n\n{END}{rest.split(END)[1]}"


class Files:
    """Where all of it stands."""

    def __init__(self, root):
        root = pathlib.Path(root)
        self.page, self.readme = root / "docs/performance.md", root / "README.md"
        self.folder = root / "docs/performance"
        self.results = self.folder / "results.json"

    def with_rows(self, results):
        """The results that are there, with the rows of these, which keep what is said of their run."""
        run = {key: value for key, value in results["machine"].items() if key != "versions"}
        there = json.loads(self.results.read_text())
        added = {row: {**entry, "run": run} for row, entry in results["rows"].items()}
        return {**there, "rows": {**there["rows"], **added}}

    def wanted(self, sections, results):
        """{path: text} of everything that is made of the results."""
        made = {
            self.page: put_between(self.page.read_text(), render(sections, results)),
            self.readme: put_between(self.readme.read_text(), readme_line(results)),
        }
        for picture in plot.FILES.values():
            made[self.folder / picture.file] = picture.draw(results["rows"])
        return made

    def write(self, sections, results):
        for path, text in self.wanted(sections, results).items():
            path.write_text(text)

    def check(self, sections):
        """What is wrong, a line each."""
        results = json.loads(self.results.read_text())
        known = [row.id for section in sections for row in section.rows]
        wrong = [f"no result for the row {row}" for row in known if row not in results["rows"]]
        wrong += [
            f"a row that is not measured: {row}" for row in results["rows"] if row not in known
        ]
        if wrong:
            return wrong
        for path, text in self.wanted(sections, results).items():
            if not path.exists() or path.read_text() != text:
                wrong.append(f"{path.name} is not what results.json is written as")
        return wrong + self.check_table(sections)

    def check_table(self, sections):
        """Reads the table of the goals as a reader does."""
        goals = re.search(r"### The goals\n\n(.*?)\n\n", self.page.read_text(), re.S)[1]
        lines = [line.strip("| ").split(" | ") for line in goals.split("\n")[2:]]
        wanted = [row.what for s in sections for row in s.rows if row.goal or row.before]
        found = [line[0] for line in lines]
        return [] if found == wanted else ["the table of the goals has other rows"]
