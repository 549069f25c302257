# SPDX-License-Identifier: MIT
"""Runs contenders in turns, so that whatever else the machine does hits them all alike.

A Side is one contender with its load standing. Each does as much work as costs its server about
`budget` CPU seconds; then, round by round, each does that work once. What is noted of a round is
the cost of one unit of work, and a ratio is always of two costs of the same round.
"""
import statistics

from .contenders import Absent
from .process import Failed

UNITS_MAX = 4_000_000


class Side:
    """`units`: of work that the table counts, for one of the load's. `step`: work comes in these."""

    def __init__(self, server, load, units=1, step=1):
        self.server, self.load = server, load
        self.units, self.step = units, step
        self.work = step

    def cost(self):
        """CPU seconds of the server for one unit, over the work that is set."""
        before = self.server.cpu_seconds()
        done = self.load.run(self.work)
        return (self.server.cpu_seconds() - before) / (done[0] * self.units)

    def calibrate(self, budget, least):
        """Warms up on the way."""
        self.work = self.rounded(least)
        for _ in range(8):
            spent = self.cost() * self.work * self.units
            if spent > budget / 3 or self.work * self.units >= UNITS_MAX:
                break
            self.work = self.rounded(self.work * min(8, budget / max(spent, budget / 100)))
        wanted = self.work * budget / max(spent, budget / 100)
        self.work = self.rounded(min(wanted, UNITS_MAX / self.units))

    def rounded(self, work):
        return max(int(work / self.step), 1) * self.step

    def stop(self):
        if self.load:
            self.load.stop()
        self.server.stop()


def stand(server, make_load, **more):
    """A side of a server that runs; it ends if its load can't stand."""
    try:
        return Side(server, make_load(server), **more)
    except Exception:
        server.stop()
        raise


def open_sides(bench, rows, names, make):
    """{name: side}; of those that are not there the rows are told why."""
    sides = {}
    for name in names:
        if not bench.wants(name):
            continue
        try:
            sides[name] = make(name)
        except (Absent, Failed, OSError) as why:
            for row in rows:
                bench.absent(row, name, str(why))
    return sides


def alternate(bench, row, sides, least=1):
    """{name: [seconds for one unit, of each round]}. A side that fails drops out, and is told."""
    costs = {}

    def attempt(name, what):
        try:
            return what()
        except Failed as why:
            bench.absent(row, name, f"failed: {why}")
            costs.pop(name, None)
            return None

    for name, side in sides.items():
        costs[name] = []
        attempt(name, lambda s=side: s.calibrate(bench.budget, least))
    for _ in range(bench.rounds):
        for name in list(costs):
            cost = attempt(name, sides[name].cost)
            if cost is not None:
                costs[name].append(cost)
    return costs


def compare(bench, row, names, make, base, least=1):
    """One row: the ratio to `base` of each contender, in the same round."""
    sides = open_sides(bench, [row], names, make)
    try:
        costs = alternate(bench, row, sides, least)
    finally:
        for side in sides.values():
            side.stop()
    note_ratios(bench, row, costs, base)
    return costs


def note_ratios(bench, row, costs, base):
    """Above 1: cheaper than the base."""
    if base not in costs:
        for name in costs:
            bench.absent(row, name, f"no {base}")
        return
    bench.note_base(row, base, 1 / statistics.median(costs[base]))
    for name, own in costs.items():
        if name != base:
            bench.note(row, name, [b / c for b, c in zip(costs[base], own)])


def note_rates(bench, row, costs):
    """Units for a CPU second of the server."""
    for name, own in costs.items():
        bench.note(row, name, [1 / c for c in own])
