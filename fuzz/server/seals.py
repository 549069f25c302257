# SPDX-License-Identifier: MIT
"""seals.py - a hostile client brings a sealed state to a new process (docs/protocol.md, section
12): as the server gave it, or changed, cut short, of another path, twice, too late or never. None
but the first is opened.
"""
import asyncio
import json

from daemon import Finding
from line import plan_of
from session import attach, new_key
from talk import Talk

FORGED = ("flipped", "short", "elsewhere", "random", "longer")
HOW = (*["right"] * 6, *FORGED, "twice", "late", "never", "with-other-head", "two-at-once")


class Seals:
    def __init__(self, hostile):
        self.hostile, self.chance = hostile, hostile.chance
        self.key = new_key()

    async def brings(self):
        seals = self.hostile.guests.seals
        if not seals:
            return
        state, path = self.chance.pick(*seals)
        how = self.chance.pick(*HOW)
        self.chance.note(f"brings {how}")
        if how == "elsewhere":
            path = self._other(path)
        if how == "two-at-once":
            both = (self._one("right", state, path), self._one("right", state, path))
            await asyncio.gather(*both, return_exceptions=True)
        else:
            await self._one(how, self._forged(how, state), path)

    def _other(self, path):
        own = path.split("?")[0]
        others = [p for p in ("/hostile", "/keeper", "/named", "/keepers") if not own.startswith(p)]
        return self.chance.pick(*others) + f"?{self.chance.below(10**6)}"

    def _forged(self, how, state):
        if how == "flipped":
            at = self.chance.below(len(state))
            changed = bytes([state[at] ^ 1 << self.chance.below(8)])
            return state[:at] + changed + state[at + 1 :]
        if how == "short":
            return state[: self.chance.below(len(state))]
        if how == "random":
            return self.chance.bytes(1 + self.chance.size(300000))
        if how == "longer":
            return state + self.chance.bytes(1 + self.chance.size(100))
        return state

    async def _one(self, how, state, path):
        hostile, chance = self.hostile, self.chance
        at = await attach(
            hostile.server,
            path,
            chance,
            plan_of(chance),
            self.key,
            also=("state", "restore"),
        )
        try:
            hostile.guests.meet(at.welcome["session"], self.key, path)
            if how == "late":
                await asyncio.sleep(chance.random() * 3)
            if how not in ("never", "late") or chance.percent(50):
                await self._restore(at, how, state)
            if how == "twice":
                await self._restore(at, how, state)
            if how in FORGED:
                await self._is_refused(at, how)
            await Talk(hostile, at, path=path).go()
        finally:
            hostile.leaves(at.line)

    async def _restore(self, at, how, state):
        head = {"why": self.chance.pick("crash", "gone", "deploy", "changed"), "resent": 0}
        if how == "with-other-head":
            head = self.chance.pick(
                {},
                [],
                {"why": "x", "resent": 1},
                {"why": "gone", "resent": 2**60},
                {"x": "y" * 200},
            )
        await at.binary(b".restore " + json.dumps(head).encode() + b"\n" + state)

    async def _is_refused(self, at, how):
        """Until the connection ends."""
        while True:
            _, is_text, data = await at.next()
            if is_text and data == b".restored":
                raise Finding(f"a state was opened that was {how}")
