# SPDX-License-Identifier: MIT
"""stateful.py - an honest page whose program saves its state (docs/protocol.md, section 12): it
keeps the state, and goes on from it in a new session however the one before has ended.

Its program (a keeper, programs/counter.c) dies, is restarted, is away for too long. All numbers
arrive once and in order, whatever happens; what the program says after its last save may come
twice, after a restore.
"""
import collections
import json

from daemon import Finding
from honest import HonestPage, Over
from session import COMMANDS_OF_STATE, new_key

GONE = {4410, 1012, 4500}
PIECE = 19
FILL_MAX = 1500  # the page keeps 1 MiB at most of what no state covers
WHYS = {1000: "changed", 1012: "deploy", 4500: "crash", 4410: "gone"}


class StatefulPage(HonestPage):
    def __init__(self, server, chance, path, total, source):
        super().__init__(server, chance, path, total, source)
        self.state, self.pieces = None, []
        self.kept = collections.deque()  # of this session, that no state covers
        self.covered = 0
        self.said = []  # the fills of all numbers that were asked for
        self.is_fresh = False  # a session of which no number was heard yet
        self.call = None  # that has no answer
        self.resent, self.why = 0, None
        self.restores = 0
        self.ids = collections.deque(maxlen=4)

    def describe(self):
        return (
            f"{super().describe()}; state of {len(self.state or b'')} bytes, {self.restores}"
            f" restores, the last by {self.why}, resent {self.resent}, covered {self.covered},"
            f" {len(self.kept)} kept, sessions {list(self.ids)}"
        )

    @property
    def offered(self):
        return ("state", "restore") if self.why and self.id is None else ("state",)

    # ---- from one session to the next

    async def _closed(self, closed):
        goes_on = closed.code in GONE or (
            closed.code == 1000 and closed.reason.split(" ")[0] in ("file-changed", "restart")
        )
        if self.server.ending:
            raise Over("the server ends")
        if not goes_on:
            await super()._closed(closed)
        elif self.state is None and closed.code == 4410:
            await super()._closed(closed)
        elif self.state is None:
            # To a client that comes once more the end is told as it was, without its state.
            if self.at and closed.code == 1000 and closed.reason.startswith("restart"):
                raise Finding("1000 restart, to a page that has no state")
            raise Over(f"{closed}, before it had a state")
        else:
            self._begins_anew(closed)
            await self._may_come_back(str(closed))

    def _begins_anew(self, closed):
        self.restores += 1
        self.why = WHYS[closed.code]
        self.key, self.id, self.by_page = new_key(), None, False
        kept = list(self.kept)
        if self.call and self.call not in kept:
            kept.insert(0, self.call)
        self.outbox = collections.deque(kept)
        self.kept = collections.deque(kept)
        self.covered = self.forgotten = self.received = self.acknowledged = 0
        self.resent = len(kept)
        self.pieces, self.is_fresh = [], True

    def _welcomed(self, welcome):
        super()._welcomed(welcome)
        self.ids.append(welcome["session"][:6])
        self.pieces = []
        if not welcome.get("state"):
            raise Finding(f"a page that offers `state` is welcomed by {welcome}")

    async def _write(self, at):
        if at.welcome.get("restore"):
            head = json.dumps({"why": self.why, "resent": self.resent}, separators=(",", ":"))
            await at.binary(b".restore " + head.encode() + b"\n" + self.state)
        await super()._write(at)

    # ---- one session

    def _fill_max(self):
        return min(FILL_MAX, super()._fill_max())

    def _number(self):
        before = len(self.fills)
        message = super()._number()
        self.said += list(self.fills)[before:]
        return message

    async def _send(self, at, op, message):
        self.kept.append((op, message))
        if message.startswith(b"report" if isinstance(message, bytes) else "report"):
            self.call = (op, message)
        await super()._send(at, op, message)

    async def _hear_unsequenced(self, at, is_text, data):
        """True if it was about the state."""
        if not is_text and data[0] == PIECE:
            self.pieces.append(data[1:])
            return True
        if not data.startswith(COMMANDS_OF_STATE):
            return False
        head, _, rest = data.partition(b"\n")
        if head == b".restored":
            return True
        count = int(head[len(b".saved?") :])
        if not is_text:
            self.state, self.pieces = b"".join([*self.pieces, rest]), []
        if not self.state:
            raise Finding(f"{head!r} without a state")
        if not self.covered <= count <= self.covered + len(self.kept):
            raise Finding(f"{head!r}, and {self.covered} were covered")
        for _ in range(count - self.covered):
            self.kept.popleft()
        self.covered = count
        await at.text(f".stored {count}")
        return True

    def _hear(self, is_text, data):
        if data.startswith(b"=1 "):
            if self.report:
                return  # a call that is answered a second time
            self.call = None
            self._reported(json.loads(data[3:]))
            return
        if data.startswith(b"n ") and is_text:
            number, fill = json.loads(data[2:])
        elif data.startswith(b"m\n") and not is_text:
            number, fill = data[2:].decode().split(" ", 1)
        else:
            raise Finding(f"the page heard {data[:80]!r}")
        number = int(number)
        if self.is_fresh and number <= self.heard:
            self.heard, self.is_fresh = number, False
        if number != self.heard:
            raise Finding(f"number {self.heard} was due, and {number} came")
        if number >= len(self.said) or fill != self.said[number]:
            raise Finding(f"number {number} carries {fill[:40]!r}")
        self.heard += 1

    def _repeats_max(self):
        """A page may lose the connection between a state and the `.saved?N` of a `.confirm`."""
        is_exact = self.path.startswith("/keeper?") and "c" not in self.path
        return 0 if is_exact else self.restores * 40

    def _reported(self, report):
        self.report = report
        due = {"received": self.sent, "sent": self.wanted, "faults": 0}
        if {name: report[name] for name in due} != due or report["repeats"] > self._repeats_max():
            raise Finding(f"the program reports {report}; {due} were due")
        if self.heard != self.wanted and not self.is_fresh:
            raise Finding(f"{self.heard} numbers were heard of {self.wanted}")
