#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A client of byte streams, written from docs/protocol.md alone: one TCP
connection over any number of WebSockets.

    tcp_client.py URL ORIGIN HOST PORT SIZE

sends SIZE bytes to HOST:PORT and ends its side, takes what comes until the other end, and prints
one JSON line with the SHA-256 of both and how many connections it took. Exits 1 with the RESET's
JSON, or the close code, on stderr.
"""
import asyncio
import hashlib
import json
import random
import secrets
import struct
import sys

import websockets

OPEN, OPENED, DATA, STATE, END, RESET, GONE = range(1, 8)
WINDOW = 256 * 1024
FINAL = {1000, 1012, 4000, 4400, 4401, 4403, 4404, 4409, 4410, 4421, 4429, 4500, 4502}


class Over(Exception):
    """The session or the stream has ended for good."""


class Stream:
    """Channel 1, the only one."""

    def __init__(self, request, source):
        self.request = request
        self.source = source  # an iterator of bytes
        self.send = None
        self.opened = self.synced = False
        self.kept = bytearray()  # from `acked` on
        self.acked = self.next = self.highest = self.limit = 0
        self.written = 0
        self.ended = False
        self.received = self.told = self.granted = 0
        self.their_end = False
        self.digest = hashlib.sha256()

    def frame(self, kind, body=b""):
        return struct.pack(">BI", kind, 1) + body

    async def state(self):
        self.told = self.received
        self.granted = max(self.granted, self.received + WINDOW)
        await self.send(self.frame(STATE, struct.pack(">QQ", self.received, self.granted)))

    async def attach(self, send):
        """`.welcome` has come."""
        self.send = send
        self.synced = False
        if self.opened:
            await self.state()
        else:
            await send(self.frame(OPEN, json.dumps(self.request).encode()))

    def fill(self):
        while not self.ended and len(self.kept) < WINDOW:
            piece = next(self.source, b"")
            self.ended = not piece
            self.kept += piece
            self.written += len(piece)

    async def pump(self):
        if not (self.opened and self.synced):
            return
        self.fill()
        while self.next < min(self.written, self.limit):
            at = self.next - self.acked
            piece = bytes(self.kept[at : at + min(65536, self.limit - self.next)])
            await self.send_counted(self.frame(DATA, piece), len(piece))
        if self.ended and self.next == self.written:
            await self.send_counted(self.frame(END), 1)

    async def send_counted(self, frame, count):
        self.next += count  # before it goes: a send that fails may have reached the server
        self.highest = max(self.highest, self.next)
        await self.send(frame)

    def take_state(self, received, limit):
        if not (self.acked <= received <= self.highest and limit >= self.limit):
            raise Over("a STATE that can't be")
        del self.kept[: received - self.acked]
        self.acked = received
        self.limit = limit
        if not self.synced:
            self.synced = True
            self.next = received

    async def receive(self, message):
        kind, channel = struct.unpack_from(">BI", message)
        body = message[5:]
        assert channel == 1, channel
        if kind == OPENED:
            if not self.opened:
                self.opened = True
                await self.state()
        elif kind == STATE:
            self.take_state(*struct.unpack(">QQ", body))
        elif kind == DATA:
            assert self.received + len(body) <= self.granted and not self.their_end
            self.digest.update(body)
            self.received += len(body)
            if self.received - self.told >= WINDOW // 4:
                await self.state()
        elif kind == END:
            self.their_end = True
            self.received += 1
            await self.state()
        elif kind == RESET:
            await self.send(self.frame(GONE))
            raise Over(body.decode())
        elif kind == GONE:
            if not (self.their_end and self.ended and self.highest > self.written):
                raise Over('{"reason":"stream-gone"}')
            self.acked = self.highest
        await self.pump()

    def is_over(self):
        return self.their_end and self.ended and self.acked > self.written


async def talk(ws, stream, session):
    """One connection, until it is lost or the stream is over."""
    async for message in ws:
        if isinstance(message, bytes):
            await stream.receive(message)
        elif message.startswith(".welcome "):
            session.update(json.loads(message[9:]))
            await stream.attach(ws.send)
        elif message == ".ping":
            await ws.send(".pong")
        if stream.is_over():
            await ws.send('.close {"reason":"done"}')
            return


async def run(url, origin, stream):
    key, session, connections = secrets.token_urlsafe(18), {}, 0
    while not stream.is_over():
        offered = ["httpsocket.v1", "key." + key]
        if session:
            offered += ["session." + session["session"], "received.0"]
        try:
            async with websockets.connect(
                url,
                subprotocols=offered,
                origin=origin,
                max_size=None,
                ping_interval=None,
                close_timeout=2,
            ) as ws:
                connections += 1
                await talk(ws, stream, session)
                if ws.close_code in FINAL and not stream.is_over():
                    raise Over(f"closed: {ws.close_code} {ws.close_reason}")
        except (OSError, websockets.ConnectionClosed, websockets.InvalidMessage):
            if getattr(ws, "close_code", None) in FINAL:
                raise Over(f"closed: {ws.close_code} {ws.close_reason}") from None
        except asyncio.IncompleteReadError:
            pass
    return connections


def pieces(size, digest):
    numbers = random.Random(size)
    while size:
        piece = numbers.randbytes(min(size, 40000))
        size -= len(piece)
        digest.update(piece)
        yield piece


def main():
    url, origin, host, port, size = sys.argv[1:]
    sent = hashlib.sha256()
    stream = Stream({"kind": "tcp", "host": host, "port": int(port)}, pieces(int(size), sent))
    try:
        connections = asyncio.run(run(url, origin, stream))
    except Over as over:
        print(over, file=sys.stderr)
        sys.exit(1)
    print(
        json.dumps(
            {
                "sent": sent.hexdigest(),
                "received": stream.digest.hexdigest(),
                "connections": connections,
            }
        )
    )


main()
