# SPDX-License-Identifier: MIT
"""talk.py - what a hostile client says on one connection of a session, from `.welcome` on: mostly
by the rules, so that the server listens.
"""
import asyncio
import json
import struct

from stream import DATA, END, GONE, OPEN, OPENED, RESET, STATE


class Talk:
    """One connection of a session, from `.welcome` on: mostly by the rules."""

    def __init__(self, hostile, at, streams=False, path=None):
        self.path = path
        self.hostile, self.at, self.chance, self.streams = hostile, at, hostile.chance, streams
        self.received = 0
        self.pieces = []
        self.channel = self.chance.below(1000)

    async def go(self):
        reader = asyncio.create_task(self.read())
        try:
            for _ in range(self.chance.size(60)):
                if reader.done():
                    reader.result()
                await self.act()
                await asyncio.sleep(self.chance.random() * self.chance.pick(0, 0, 0.01, 0.1))
            await asyncio.wait({reader}, timeout=self.chance.random() * self.chance.pick(0, 0.2, 3))
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def read(self):
        if self.chance.percent(10):
            await asyncio.sleep(5)
        while True:
            sequenced, is_text, data = await self.at.next()
            if not sequenced and data.startswith(b".saved?"):
                await self.keeps(is_text, data)
            elif sequenced:
                self.received += 1
                if self.chance.percent(30):
                    await self.at.text(f".ack {self.received}")
            elif data[:1] == b"\x13":
                self.pieces.append(data[1:])
            elif data[:1] and data[0] < 32 and self.chance.percent(50):
                await self.answers_frame(data)

    async def keeps(self, is_text, data):
        """A state: it is stored or not, and kept for those who bring it back."""
        head, _, rest = data.partition(b"\n")
        count = int(head[len(b".saved?") :])
        if not is_text:
            self.hostile.guests.keep(b"".join([*self.pieces, rest]), self.path)
            self.pieces = []
        if self.chance.percent(85):
            await self.at.text(f".stored {count}")
        if self.chance.percent(2):
            await self.at.text(f".stored {self.chance.pick(count, count + 1, 2**53, 'x')}")

    async def act(self):
        if self.streams or self.chance.percent(15):
            await self.at.binary(self.channel_frame())
        elif self.chance.percent(4):
            await self.hostile.frames(self.at.line, self.at.messages)
        elif self.chance.percent(15):
            head = self.chance.pick("photo", "message", "photo?7", "=7", "+7")
            await self.at.binary(head.encode() + b"\n" + b"x" * self.chance.size(70000))
        else:
            await self.at.text(self.words())

    def words(self):
        chance = self.chance
        if chance.percent(3):
            return chance.pick(
                "",
                " ",
                "!",
                "=x",
                ".ack -1",
                ".ack 99999",
                "a b",
                "x 01",
                ".listen 1",
                ".stored 7",
                ".restore {}",
            )
        return chance.pick(
            f"hello {chance.below(9)}",
            f'hello "{"x" * chance.size(60000)}"',
            f'message "{chance.below(99)}"',
            f"add?{chance.below(9)} [1,2]",
            f"={chance.below(4)} 1",
            f"+{chance.below(4)} 1",
            f'!{chance.below(4)} {{"message":"x"}}',
            f".ack {self.received}",
            ".ping",
            ".pong",
            ".bye",
            '.bye {"reason":"left"}',
            '.problem {"command":"listen","message":"x"}',
            ".later {}",
            chance.pick(".ping", '.close {"reason":"x"}'),
        )

    def channel_frame(self):
        chance, targets = self.chance, self.hostile.targets
        kind = chance.pick(OPEN, OPEN, OPEN, DATA, DATA, DATA, STATE, STATE, END, RESET, GONE)
        if chance.percent(2):
            kind = chance.below(10)
        if kind == OPEN:
            self.channel += 1 if chance.percent(95) else chance.below(5)
        channel = self.channel - (chance.below(4) if kind != OPEN else 0)
        head = struct.pack("!BI", kind, channel & 0xFFFFFFFF)
        if kind == OPEN:
            return head + json.dumps(self.request(targets)).encode()
        if kind == DATA:
            return head + b"d" * (chance.size(20000) if chance.percent(95) else 70000)
        if kind == STATE:
            received = chance.pick(0, 0, 0, chance.below(10))
            limit = chance.pick(1 << 16, 1 << 20, 5, 2**53 - 1)
            return head + struct.pack("!QQ", received, limit)
        if kind == RESET:
            return head + b'{"reason":"x"}'
        return head

    def request(self, targets):
        chance = self.chance
        if chance.percent(40):
            return {"kind": "stream", "name": "upload", "data": "x" * chance.size(1000)}
        host = chance.pick(
            *("echo.good.test", "good.test", "two.good.test", f"n{chance.below(60)}.test"),
            *("127.0.0.2", "localhost", "x" * 64, "a.test", ""),
        )
        request = {"kind": "tcp", "host": host, "port": chance.pick(*targets.ports.values())}
        if chance.percent(30):
            request["secure"] = True
        if chance.percent(5):
            request[chance.pick("port", "noDelay", "x")] = chance.pick(0, 70000, "1", None)
        return request

    async def answers_frame(self, data):
        kind = data[0]
        channel = data[1:5]
        if kind == RESET:
            await self.at.binary(bytes([GONE]) + channel)
        elif kind == OPENED:
            await self.at.binary(bytes([STATE]) + channel + struct.pack("!QQ", 0, 1 << 20))
