# SPDX-License-Identifier: MIT
"""chance.py - numbers from a seed, and what was done with them last.

Each actor has a Chance of its own, named after it, so that its choices don't depend on how the
others were scheduled. What it does it notes; `History` keeps the newest notes of all, which are
printed beside a finding.
"""
import collections
import random
import time

NOTES_KEPT = 300


class History:
    def __init__(self):
        self.began = time.monotonic()
        self.notes = collections.deque(maxlen=NOTES_KEPT)
        self.count = collections.Counter()
        self.ends = collections.Counter()  # how visits ended

    def note(self, who, what):
        self.count[what.split(" ")[0]] += 1
        self.notes.append(f"{time.monotonic() - self.began:8.3f} {who}: {what}")


class Chance(random.Random):
    def __init__(self, seed, name="", history=None):
        super().__init__(f"{seed}/{name}")
        self.name, self.root, self.history = name, seed, history or History()

    def child(self, name):
        return Chance(self.root, f"{self.name}/{name}" if self.name else name, self.history)

    def note(self, what):
        self.history.note(self.name, what)

    def percent(self, n):
        return self.random() * 100 < n

    def pick(self, *values):
        return values[int(self.random() * len(values))]

    def below(self, n):
        return int(self.random() * n)

    def size(self, most):
        """A length whose magnitude is as likely small as large."""
        return int(most ** self.random()) if most > 1 else most

    def bytes(self, n):
        return self.randbytes(n)
