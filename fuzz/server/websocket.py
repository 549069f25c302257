# SPDX-License-Identifier: MIT
"""websocket.py - frames and the handshake of RFC 6455, for clients that keep its rules and for
those that don't.
"""
import base64
import os
import struct

from line import Broken

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(op, payload=b"", fin=True, masked=True, rsv=0, length=None):
    payload = payload.encode() if isinstance(payload, str) else payload
    length = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | op
    bit = 0x80 if masked else 0
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 65536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    n = len(payload)
    key = (mask * (n // 4 + 1))[:n]
    coded = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return head + mask + coded.to_bytes(n, "big")


def close_frame(code=1000, reason=""):
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def handshake(path, host, origin=None, offered=None, fields=()):
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    if origin:
        lines.append(f"Origin: {origin}")
    if offered:
        lines.append(f"Sec-WebSocket-Protocol: {', '.join(offered)}")
    return "\r\n".join([*lines, *fields, "", ""]).encode()


class Closed(Exception):
    """The server closed with this code."""

    def __init__(self, code, reason):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Messages:
    """Whole messages of a line: `(is_text, bytes)`. Answers pings; a close frame is a `Closed`."""

    def __init__(self, line):
        self.line = line
        self.parts = []
        self.op = None

    async def next(self):
        while True:
            first, second = await self.line.take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", await self.line.take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await self.line.take(8))
            payload = await self.line.take(length)
            op = first & 15
            if op == PING:
                await self.line.send(frame(PONG, payload))
            elif op == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode("utf-8", "replace"))
            elif op in (CONTINUATION, TEXT, BINARY):
                self.parts.append(payload)
                self.op = op or self.op
                if first & 0x80:
                    whole = b"".join(self.parts)
                    self.parts = []
                    return self.op == TEXT, whole
            elif op != PONG:
                raise Broken(f"frame of kind {op}")
