# SPDX-License-Identifier: MIT
"""What a test program has reported in TAP, as cmocka and node:test write it: how many passed, and
what is to be read of the rest.

A test with tests of its own counts by those, and by itself only if it failed and none of them did.
"""
import re

POINT = re.compile(r"^( *)(not )?ok \d+(?: -)? ?(.*)$")
SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
SKIP = re.compile(r"^(.*?) ?# SKIP ?(.*)$", re.I)
NOT_SHOWN = re.compile(r"^\s*(duration_ms:|type:|---$|\.\.\.$)")

LINES_MAX = 60


class Report:
    def __init__(self):
        self.passed = 0
        self.failures = []  # of each: its name and what it said
        self.skipped = []


def explanation(lines, start):
    """The lines that belong to a failed point: what follows, up to the next test."""
    text = []
    for line in lines[start:]:
        if POINT.match(line) or SUBTEST.match(line) or re.match(r"^ *1\.\.\d+$|^# tests \d", line):
            break
        if line.strip() and not NOT_SHOWN.match(line):
            text.append(line)
    cut = [f"    … {len(text) - LINES_MAX} more lines"] if len(text) > LINES_MAX else []
    return "\n".join(text[:LINES_MAX] + cut)


class Depth:
    """What has been seen inside of the test that is open at one level."""

    def __init__(self):
        self.points = 0
        self.failures = 0


def read(output):
    report = Report()
    lines = output.splitlines()
    seen = {}  # level -> Depth: the points below the test that is not finished yet
    names = {}  # level -> its name
    for number, line in enumerate(lines):
        subtest = SUBTEST.match(line)
        if subtest:
            names[len(subtest[1]) // 4] = subtest[2]
            continue
        point = POINT.match(line)
        if not point:
            continue
        level = len(point[1]) // 4
        inner = seen.pop(level + 1, Depth())
        here = seen.setdefault(level, Depth())
        here.points += 1
        skip = SKIP.match(point[3])
        failed = bool(point[2]) and not skip  # cmocka writes `not ok 1 # SKIP`
        here.failures += inner.failures or failed
        if failed and not inner.failures:
            path = " > ".join([names[n] for n in range(level) if n in names] + [point[3]])
            report.failures.append(f"    not ok: {path}\n{explanation(lines, number + 1)}")
        elif skip:
            report.skipped.append(": ".join(filter(None, skip.groups())))
        elif not failed and not inner.points:
            report.passed += 1
    return report
