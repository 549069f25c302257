# SPDX-License-Identifier: MIT
"""Plots, as SVG that is text: the same results are the same file. They follow the reader's dark
mode; who sees no colours has the names at the lines and bars.
"""
import dataclasses
import math
import statistics
from xml.sax.saxutils import escape

from .contenders import OURS

WIDTH = 720
STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 12px; fill: #57606a }
.title { font-weight: 600; font-size: 14px }
.grid { stroke: #d0d7de } .one { stroke: #57606a; stroke-dasharray: 4 3 }
.c0 { --c: #0969da } .c1 { --c: #1a7f37 } .c2 { --c: #8c959f } .c3 { --c: #57606a }
.c4 { --c: #bc4c00 } .c5 { --c: #8250df }
rect { fill: var(--c) } path { stroke: var(--c); fill: none; stroke-width: 2 }
circle { fill: var(--c) } .spread { stroke: #24292f; stroke-width: 1.2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
  .one { stroke: #9198a1 } .spread { stroke: #e6edf3 }
  .c0 { --c: #4493f8 } .c1 { --c: #3fb950 } .c2 { --c: #6e7681 } .c3 { --c: #9198a1 }
  .c4 { --c: #f0883e } .c5 { --c: #ab7df8 }
}
</style>"""
SERIES = [*OURS, "raw epoll", "raw io_uring", "libwebsockets", "ws"]


def colour(name):
    return f"c{SERIES.index(name) if name in SERIES else 5}"


def svg(height, title, parts):
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">\n'
        f"{STYLE}\n{text(12, 22, title, 'title')}\n{body}\n</svg>\n"
    )


def text(x, y, words, css="", anchor="start"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def line(x1, y1, x2, y2, css):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{css}"/>'


def samples(rows, row, name):
    return rows.get(row, {}).get("cells", {}).get(name, {}).get("samples")


# ---- bars: ratios of some rows ----


def bars(title, rows, groups, names, top, base):
    """A group of bars for each row; `base` is the line at 1."""
    left, bar, gap, head = 300, 15, 16, 44
    scale = (WIDTH - left - 70) / top
    parts, y = [], head
    for row, label in groups:
        there = [(name, samples(rows, row, name)) for name in names if samples(rows, row, name)]
        parts.append(text(12, y + bar * max(len(there), 1) / 2 + 4, label))
        for name, values in there:
            middle = statistics.median(values)
            length = min(middle, top) * scale
            parts.append(text(left - 8, y + bar - 4, name, "small", "end"))
            parts.append(
                f'<rect x="{left}" y="{y:.1f}" width="{length:.1f}" height="{bar - 3}" class="{colour(name)}"/>'
            )
            low, high = min(min(values), top) * scale, min(max(values), top) * scale
            parts.append(line(left + low, y + 6, left + high, y + 6, "spread"))
            at = max(length, high)
            parts.append(text(left + at + 6, y + bar - 4, f"{middle:.2f}", "small"))
            y += bar
        y += gap
    parts.append(line(left + scale, head - 6, left + scale, y - gap + 4, "one"))
    parts.append(text(left + scale, y + 6, f"1: {base}", "small", "middle"))
    return svg(y + 18, title, parts)


# ---- lines ----


def axes(box, xs, ys, x_name, y_name):
    """`xs`, `ys`: (place from 0 to 1, label)."""
    x0, y0, x1, y1 = box
    parts = [text(12, y0 - 12, y_name, "small"), text(x1, y1 + 36, x_name, "small", "end")]
    for place, label in xs:
        at = x0 + place * (x1 - x0)
        parts += [line(at, y0, at, y1, "grid"), text(at, y1 + 18, label, "small", "middle")]
    for place, label in ys:
        at = y1 - place * (y1 - y0)
        parts += [line(x0, at, x1, at, "grid"), text(x0 - 8, at + 4, label, "small", "end")]
    return parts


def spread_labels(wanted, least):
    """Places of labels, none nearer to the next than `least`."""
    found = []
    for place, name in sorted(wanted):
        found.append((max(place, found[-1][0] + least if found else place), name))
    return found


def lines(title, series, xs, ys, x_name, y_name):
    """`series`: {name: [(x, y), ...]}, both from 0 to 1."""
    height, box = 360, (70, 60, WIDTH - 150, 310)
    x0, y0, x1, y1 = box
    parts, labels = axes(box, xs, ys, x_name, y_name), []
    for name, points in series.items():
        at = [(x0 + x * (x1 - x0), y1 - y * (y1 - y0)) for x, y in points]
        steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in at)
        parts.append(f'<g class="{colour(name)}"><path d="M{steps}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in at]
        parts.append("</g>")
        labels.append((at[-1][1] + 4, name))
    parts += [text(x1 + 10, y, name) for y, name in spread_labels(labels, 16)]
    return svg(height, title, parts)


def growth(rows):
    counts = [10, 100, 1000, 10_000]
    series = {}
    for name in SERIES:
        points = []
        for count in counts:
            found = rows.get(f"growth-{count}", {})
            values = samples(rows, f"growth-{count}", name)
            rate = found.get("base", {}).get("rate")
            if name == "raw epoll" and rate:
                points.append((count, rate))
            elif values and rate:
                points.append((count, rate * statistics.median(values)))
        if points:
            series[name] = points
    top = max((y for points in series.values() for _, y in points), default=1) * 1.1
    step = 10 ** math.floor(math.log10(top))
    step = step if top / step > 3 else step / 2
    marks = [n * step for n in range(int(top / step) + 1)]
    return lines(
        "Echo of 20 bytes, as connections grow: messages for a CPU second of the server",
        {
            name: [((math.log10(x) - 1) / 3, y / top) for x, y in points]
            for name, points in series.items()
        },
        [((math.log10(n) - 1) / 3, f"{n:,}".replace(",", "\u202f")) for n in counts],
        [(mark / top, f"{mark / 1000:,.0f} k") for mark in marks],
        "connections, one message in flight on each",
        "messages",
    )


def latency(rows):
    """The faster of the rates; a logarithmic scale."""
    found = rows.get("latency-60k", {}).get("percentiles", {})
    series = {name: found[name] for name in SERIES if name in found}
    values = [v for points in series.values() for v in points if v > 0] or [1, 10]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def place(value):
        return (math.log10(max(value, 10**low)) - low) / (high - low)

    names = ["p50", "p99", "p99.9", "max"]
    marks = [(place(10**n), micro(10**n)) for n in range(low, high + 1)]
    return lines(
        "Echo of 20 bytes, 60 000 a second: latency from when a message was to be sent",
        {
            name: [(i / 3, place(v)) for i, v in enumerate(points)]
            for name, points in series.items()
        },
        [(i / 3, name) for i, name in enumerate(names)],
        marks,
        "share of the messages that were at least so fast",
        "time",
    )


def micro(us):
    return f"{us:g} µs" if us < 1000 else f"{us / 1000:g} ms" if us < 1e6 else f"{us / 1e6:g} s"


def echo(rows):
    shown = [
        ("echo-20-100", "20 B, 100 connections"),
        ("echo-20-1000", "20 B, 1000 connections"),
        ("echo-1k-100", "1 KiB, 100 connections"),
        ("echo-16k-1", "16 KiB"),
        ("echo-16k-16", "16 KiB, 16 in flight"),
        ("echo-20-deep16", "20 B, 16 in flight"),
        ("echo-20-deep256", "20 B, 256 in flight"),
    ]
    names = ["raw io_uring", *OURS, "libwebsockets", "ws"]
    return bars("Echo, for a CPU second of the server", rows, shown, names, 1.4, "raw epoll")


@dataclasses.dataclass(frozen=True)
class Picture:
    file: str
    title: str
    draw: object


FILES = {
    "echo": Picture("echo.svg", "Bars: echo as a ratio to a raw epoll loop", echo),
    "growth": Picture("growth.svg", "Lines: messages for a CPU second, by connections", growth),
    "latency": Picture(
        "latency.svg", "Lines: percentiles of the latency at 60 000 a second", latency
    ),
}
