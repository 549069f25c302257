# SPDX-License-Identifier: MIT
"""One run: how thorough it is, and what it has noted.

`results` is what docs/performance/results.json has: each sample, so that the page can be written
again from it.
"""
import json
import statistics
import sys
import time

from . import machine


def rounded(value):
    return float(f"{value:.5g}")


class Bench:
    def __init__(self, quick=False, only=None, rounds=None):
        self.quick = quick
        self.only = only  # contenders; None: all
        self.rounds = rounds or (3 if quick else 7)
        self.budget = 0.05 if quick else 0.25  # CPU seconds of a server in one round
        self.rows = {}
        self.meter = None
        self.machine = {}

    def wants(self, name):
        return self.only is None or name in self.only

    # ---- notes ----

    def entry(self, row):
        return self.rows.setdefault(row.id, {"cells": {}})

    def note(self, row, name, samples):
        """Of each round, what the row counts."""
        samples = [rounded(s) for s in samples]
        if not samples:
            return
        self.entry(row)["cells"][name] = {"samples": samples}
        middle = row.show(statistics.median(samples))
        ends = f"{row.show(min(samples))} to {row.show(max(samples))}"
        self.say(f"  {name:24} {middle:>12}   {ends}")

    def note_base(self, row, name, rate):
        """What the ratios of a row are of: units for a CPU second."""
        self.entry(row)["base"] = {"name": name, "rate": rounded(rate)}
        self.say(f"  {name:24} {rate:12,.0f} for a CPU second")

    def absent(self, row, name, why):
        self.entry(row)["cells"][name] = {"absent": why}
        self.say(f"  {name:24} {why}")

    def extra(self, row, **more):
        self.entry(row).update(more)

    @staticmethod
    def say(text):
        print(text, flush=True)

    # ---- the run ----

    def run(self, sections, wanted):
        """The sections with rows that are `wanted`, a function of the row's id."""
        began = time.monotonic()
        with machine.Meter() as meter:
            for section in sections:
                rows = [row for row in section.rows if wanted(row.id)]
                if rows:
                    self.run_section(section, rows, began)
        self.machine = {**machine.describe(), **meter.found, "mode": self.mode()}
        self.machine["minutes"] = round((time.monotonic() - began) / 60, 1)

    def run_section(self, section, rows, began):
        for row in rows:
            self.entry(row)
        self.say(f"== {section.title} ({time.monotonic() - began:.0f} s)")
        try:
            section.measure(self, rows)
        except Exception as why:  # the other sections can still be measured
            print(f"{section.id}: {type(why).__name__}: {why}", file=sys.stderr, flush=True)
            if self.quick:
                import traceback

                traceback.print_exc()
            for row in rows:
                if not self.rows[row.id]["cells"]:
                    self.absent(row, "ours, epoll", f"failed: {why}")

    def mode(self):
        return "quick" if self.quick else "full"

    def results(self):
        return {"machine": self.machine, "rows": self.rows}

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.results(), indent=1, ensure_ascii=False) + "\n")
