# SPDX-License-Identifier: MIT
"""honest.py - a page that keeps the protocol and counts, while its lines are cut.

Its program (programs/counter.c) counts as well. Every number has to arrive once and in order, both
ways, whatever happens to the connection and to others. While the settings are those of the round's
beginning, nothing but the page may end its session.
"""
import asyncio
import collections
import json
import struct
import time

from daemon import Finding
from line import HOW, Broken, Line, Plan
from session import HOST, Refused, attach, new_key
from stream import Stream
from websocket import BINARY, TEXT, Closed, frame

BACK_SECONDS = 60  # to come back after a cut, on a machine that is busy with other things
OUTSTANDING_MAX = 300
FILL_MAX = 100000
TEMPORARY = {1013, 4429, 4504}
TEMPORARY_HTTP = {408, 421, 429, 431, 502, 503, 504}


class Over(Exception):
    """The session is over, and may be: the settings were changed, the server drains."""


class HonestPage:
    offered = ()

    def __init__(self, server, chance, path, total, source="127.0.0.200", cuts=True):
        self.server, self.chance, self.path, self.source = server, chance, path, source
        self.key, self.id = new_key(), None
        self.total = total  # numbers to send
        self.sent = self.wanted = 0
        self.heard = 0  # numbers of the program
        self.received = 0  # sequenced messages of the program
        self.forgotten = 0  # of ours, that the server has acknowledged
        self.outbox = collections.deque()
        self.fills = collections.deque()
        self.asked, self.report = False, None
        self.stream = None
        self.on_welcome = None
        self.by_page = chance.percent(50)  # loads the page first, and has its session's id from it
        self.began = self.lost = time.monotonic()
        self.cuts = cuts
        self.connections, self.at, self.acknowledged = 0, None, 0
        self.story = collections.deque(maxlen=8)

    # ---- a session from its beginning to its end

    async def live(self):
        """Raises Finding, or Over."""
        try:
            while not await self._connection():
                pass
        except Finding as fault:
            raise Finding(f"{fault}\n{self.describe()}") from None

    def opens_stream(self, request, total):
        """Before it lives: it will also open a byte stream to something that echoes."""
        self.stream = Stream(self.chance.child("stream"), 1, request, total)

    def describe(self):
        return (
            f"{self.chance.name} {self.path}: {self.connections} connections, sent {self.sent} of"
            f" {self.total}, heard {self.heard} of {self.wanted}, {len(self.outbox)} not"
            f" acknowledged, reported {self.report}; attached {bool(self.at)}; welcomes (time,"
            f" fields, sent, acknowledged, received) {list(self.story)}; {self.stream and self.stream.describe()}"
        )

    def _plan(self):
        if not self.cuts or self.chance.percent(8):
            return Plan()
        up, down = self.chance.pick((1, 0), (0, 1), (1, 1), (0, 0))
        most = self.chance.pick(400, 1500, 4000, 20000)
        return Plan(
            up=self.chance.below(most) if up else None,
            down=self.chance.below(most) if down else None,
            how=self.chance.pick(*(how for how in HOW if how != "garbage")),
            dribble=self.chance.percent(5),
        )

    async def _connection(self):
        """One connection; True if the session has come to its good end."""
        try:
            self.at = None
            if self.by_page and not self.id:
                await self._load()
            self.at = at = await attach(
                self.server,
                self.path,
                self.chance,
                self._plan(),
                self.key,
                self.id,
                self.received,
                self.source,
                also=self.offered,
            )
            self._welcomed(at.welcome)
            await self._talk(at)
            return True
        except Broken:
            if self.at:
                self.lost = time.monotonic()
            await self._may_come_back("no connection")
        except Refused as refused:
            if refused.status not in TEMPORARY_HTTP:
                self._ended(str(refused))
            await self._may_come_back(str(refused))
        except Closed as closed:
            if self.report and closed.code in (1000, 4410):
                return True
            await self._closed(closed)
        finally:
            if self.at:
                self.at.line.reset()
        return False

    async def _load(self):
        line = await Line.open(self.server, self.chance, source=self.source)
        try:
            await line.send(f"GET {self.path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            status, fields, lines = await asyncio.wait_for(line.head(), BACK_SECONDS)
            if status != 200:
                raise Refused(status, fields)
            self.id = next(x[12:] for x in lines if x.lower().startswith("session-id: "))
            self.lost = time.monotonic()
        except asyncio.TimeoutError:
            raise Finding(f"a page was not answered within {BACK_SECONDS} s") from None
        finally:
            line.close()

    async def _closed(self, closed):
        if closed.code in TEMPORARY or (closed.code == 4502 and "retry=" in closed.reason):
            await self._may_come_back(str(closed))
        elif closed.code < 4000 and closed.code not in (1000, 1009, 1012):
            self.lost = time.monotonic()
            await self._may_come_back(str(closed))
        elif closed.code == 4410 and time.monotonic() - self.lost > self.server.absence_seconds:
            raise Over("away for too long")
        elif closed.code == 1012 and self.server.ending:
            raise Over("drained")
        else:
            self._ended(str(closed))

    async def _may_come_back(self, why):
        if self.server.ending:
            raise Over("the server ends")
        self.server.check()
        if time.monotonic() - max(self.lost, self.server.disturbed_until) > BACK_SECONDS:
            self._ended(f"can't connect for {BACK_SECONDS} s: {why}")
        await asyncio.sleep(self.chance.random() * self.chance.pick(0.01, 0.1, 0.5))

    def _ended(self, why):
        self.server.check()
        if self.server.was_calm(self.began) or self._is_blamed(why):
            raise Finding(f"an honest session ended: {why}")
        raise Over(why)

    def _is_blamed(self, why):
        """Whether it is said to have broken the rules; no settings make that so, but a lower
        message-max or attach-timeout.
        """
        by_settings = ("maxMessage", "no .restore in time")
        return "wire-protocol" in why and not any(words in why for words in by_settings)

    # ---- one connection

    def _welcomed(self, welcome):
        self.connections += 1
        self.story.append((time.time(), welcome, self.sent, self.forgotten, self.received))
        if self.id and welcome["session"] != self.id:
            raise Finding(f"another session was welcomed after {self.connections} connections")
        self.id = welcome["session"]
        if self.on_welcome:
            self.on_welcome(self.id, self.path)
        self.window = welcome["window"]
        self.most = welcome["maxMessage"]
        if self.stream and not welcome["streams"]:
            self.stream = None  # a session that began while streams-max was 0 has none
        self._forget(welcome["received"])

    def _forget(self, count):
        if not self.forgotten <= count <= self.forgotten + len(self.outbox):
            raise Finding(
                f"the server has received {count} of {self.forgotten + len(self.outbox)},"
                f" and had {self.forgotten}"
            )
        while self.forgotten < count:
            self.outbox.popleft()
            self.forgotten += 1

    async def _talk(self, at):
        self.acknowledged = self.received  # the handshake has said it
        writer = asyncio.create_task(self._write(at))
        reader = asyncio.create_task(self._read(at))
        clock = asyncio.create_task(self._acknowledge(at))
        tasks = {writer, reader, clock}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            # What was heard last tells more than that nothing can be said any more.
            for task in sorted(done, key=lambda task: task is not reader):
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, at):
        if self.stream and not self.stream.over:
            await at.binary(self.stream.attached(at.welcome["streamWindow"]))
        await self._repeat(at)
        while self.sent < self.total:
            if self.wanted - self.heard < OUTSTANDING_MAX:
                for _ in range(self.chance.pick(1, 1, 5, 20)):
                    if self.sent < self.total and self._fits():
                        await self._send(at, *self._number())
            await asyncio.sleep(self.chance.random() * self.chance.pick(0, 0, 0.02, 0.2))
            if self.chance.percent(1):
                at.line.end()
                raise Broken("cut at a moment")
        while self.stream and not self.stream.over:
            await asyncio.sleep(0.05)
        if not self.asked:
            self.asked = True
            await self._send(at, TEXT, b"report?1")
        if self.report:
            await at.text('.close {"reason":"done"}')

    async def _repeat(self, at):
        """What is not acknowledged, within the window: a new session may have a smaller one."""
        kept, first, under_way = list(self.outbox), self.forgotten, 0
        for number, (op, message) in enumerate(kept, first):
            while under_way and under_way + len(message) > self.window:
                await asyncio.sleep(0.01)
                arrived = min(self.forgotten, number) - first
                under_way = sum(len(message) for _, message in kept[arrived : number - first])
            await at.line.send(frame(op, message))
            under_way += len(message)

    def _fits(self):
        """Whether the next message, however long, keeps within the window (docs/protocol.md, 3)."""
        under_way = sum(len(message) for _, message in self.outbox)
        return under_way == 0 or under_way + self._fill_max() + 64 <= self.window

    def _fill_max(self):
        return min(FILL_MAX, self.most // 4, self.window // 4)

    def _number(self):
        wanted = self.chance.pick(0, 1, 1, 3, self.chance.below(40))
        letter = chr(97 + self.sent % 26)
        size = self.chance.size(200 if wanted > 3 else self.chance.pick(20, 3000, 3000, FILL_MAX))
        fill = letter * min(size, self._fill_max())
        if self.chance.percent(15):
            message = BINARY, f"b\n{self.sent} {wanted} {fill}".encode()
        else:
            message = TEXT, f'c [{self.sent},{wanted},"{fill}"]'.encode()
        self.sent += 1
        self.wanted += wanted
        self.fills.extend([fill] * wanted)
        return message

    async def _send(self, at, op, message):
        self.outbox.append((op, message))
        await at.line.send(frame(op, message))

    async def _read(self, at):
        while True:
            sequenced, is_text, data = await at.next()
            if sequenced:
                self.received += 1
                self._hear(is_text, data)
                if self.received - self.acknowledged > 20 or self.chance.percent(20):
                    await self._say_received(at)
                if self.report:
                    await at.text('.close {"reason":"done"}')
            elif is_text and data.startswith(b".ack "):
                self._forget(int(data[5:]))
            elif await self._hear_unsequenced(at, is_text, data):
                pass
            elif not is_text:
                await self._hear_frame(at, data)

    async def _hear_unsequenced(self, at, is_text, data):
        return False

    async def _hear_frame(self, at, data):
        kind, channel = struct.unpack("!BI", data[:5])
        if not self.stream or channel != self.stream.number:
            raise Finding(f"a frame of channel {channel}")
        if self.stream.over:
            return
        for frame_of_stream in self.stream.hear(kind, data[5:]):
            await at.binary(frame_of_stream)
        if self.stream.reset and self._must_last(self.stream):
            raise Finding(f"a stream was broken off: {self.stream.describe()}")

    def _must_last(self, stream):
        """A target may be refused, since look-ups have bounds that others use up."""
        is_tcp = stream.request["kind"] == "tcp"
        if is_tcp and stream.reset in ("server-replaced", "revoked") and self.server.takeovers:
            return False  # what a take-over can't carry, or can't look up again
        return self.server.was_calm(self.began) and (stream.opened or not is_tcp)

    async def _say_received(self, at):
        self.acknowledged = self.received
        await at.text(f".ack {self.received}")

    async def _acknowledge(self, at):
        while True:
            await asyncio.sleep(0.5)
            if self.acknowledged != self.received:
                await self._say_received(at)

    def _hear(self, is_text, data):
        if data.startswith(b"n ") and is_text:
            number, fill = json.loads(data[2:])
        elif data.startswith(b"m\n") and not is_text:
            number, fill = data[2:].decode().split(" ", 1)
        elif data.startswith(b"=1 "):
            self._reported(json.loads(data[3:]))
            return
        else:
            raise Finding(f"the page heard {data[:80]!r}")
        if int(number) != self.heard:
            raise Finding(f"number {self.heard} was due, and {number} came")
        if not self.fills or fill != self.fills[0]:
            raise Finding(f"number {number} carries {fill[:40]!r}, not {str(self.fills)[:60]}")
        self.fills.popleft()
        self.heard += 1

    def _reported(self, report):
        self.report = report
        due = {"received": self.sent, "sent": self.heard, "faults": 0}
        if {name: report[name] for name in due} != due or self.heard != self.wanted:
            raise Finding(f"the program reports {report}; {due} were due, {self.wanted} wanted")
