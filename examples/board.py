#!/usr/bin/env python3
"""A drawing board that all visitors share. Each visitor has a program of their own, and a topic
carries each stroke to the others.
"""
import random

from httpsocket import page

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Board</title>
<link rel="stylesheet" href="style.css">
<style>
  #board { aspect-ratio: 8 / 5; touch-action: none; cursor: crosshair; }
  #people { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; padding: 0; list-style: none; }
  #people li::before { content: ""; display: inline-block; width: .8em; height: .8em;
    margin-right: .4em; border-radius: 50%; background: var(--color); }
</style>
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Board</h1>
<p class="soft">Draw. Open this page once more, in another window or on another machine, and see it
  there as you draw.</p>
<ul id="people"></ul>
<canvas id="board" width="960" height="600"></canvas>
<p><button id="clear">Clear</button></p>
<script src="board.js"></script>
"""

NAMES = [
    "Badger",
    "Crane",
    "Dormouse",
    "Elk",
    "Falcon",
    "Gecko",
    "Heron",
    "Ibex",
    "Jackdaw",
    "Kingfisher",
    "Lynx",
    "Marten",
    "Newt",
    "Otter",
]
COLORS = ["#1f6feb", "#d1495b", "#1a7f4b", "#b8860b", "#8250df", "#0f8b8d", "#c2571a"]
DONE, LIVE = (
    "board",
    "board/live",
)  # whole strokes, which stay for a while; strokes that are being drawn


def is_stroke(points):
    """Is this a list of a few thousand pairs of numbers at most? It comes
    from a page, and goes to others.
    """
    return (
        isinstance(points, list)
        and len(points) <= 4000
        and all(
            isinstance(p, list) and len(p) == 2 and all(isinstance(n, (int, float)) for n in p)
            for p in points
        )
    )


me = {"name": random.choice(NAMES), "color": random.choice(COLORS)}
people = {}  # who is there: by public id, what each shows


def stroke(points):
    return {"color": me["color"], "points": points}


page.show(PAGE)
page.send("me", me)
done = page.subscribe(DONE, history=100, to="page")
live = page.subscribe(LIVE, to="page", self_=False, presence=me)


@live.presence
def presence(change):
    if "here" in change:
        people.clear()
    people.update((p["id"], p["data"]) for p in change.get("here", []) + change.get("joined", []))
    for gone in change.get("left", []):
        people.pop(gone, None)
    page.send("people", list(people.values()))


@page.on("line")
def drawing(points):
    if is_stroke(points):
        live.publish("stroke", stroke(points))


@page.on("stroke")
def drawn(points):
    if is_stroke(points):
        done.publish("stroke", stroke(points))


@page.on("clear")
def clear(_):
    done.publish("clear")


page.run()
