# SPDX-License-Identifier: MIT
"""page.py - a session of the cut test: what it has said and heard, over any number of connections.

It knows no socket: bytes go in by `take`, and what it has to say comes out by `greet`, `replay` and
`speak`. Its program is fuzz/server/programs/counter.c, which counts as well. A `Fault` is a
message that was lost, doubled or reordered, or an end that nobody asked for.
"""
import base64
import collections
import json
import os
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MORE, LAST_TEXT = 16, 17  # of a message in parts
WANTED_MAX = 60  # numbers of the program under way
ORIGIN, HOST = "http://a.test:8000", "a.test:8000"
TEMPORARY = {1001, 1005, 1006, 1011, 1013, 4504}


class Fault(Exception):
    pass


class Lost(Exception):
    """The server has ended this connection; the session goes on."""


def frame(op, payload):
    """Masked by zeros, so that nothing is to be computed."""
    n = len(payload)
    if n < 126:
        head = struct.pack("!BB", 0x80 | op, 0x80 | n)
    elif n < 65536:
        head = struct.pack("!BBH", 0x80 | op, 0xFE, n)
    else:
        head = struct.pack("!BBQ", 0x80 | op, 0xFF, n)
    return head + b"\0\0\0\0" + payload


PONG_TEXT = frame(TEXT, b".pong")


class Page:
    def __init__(self, path, chance):
        self.path, self.chance = path, chance
        self.key = base64.urlsafe_b64encode(os.urandom(18)).decode()
        self.id = None
        self.sent = self.wanted = self.heard = self.received = self.forgotten = 0
        self.outbox = collections.deque()
        self.fills = collections.deque()
        self.pid = self.report = None
        self.asked = self.over = False
        self.attached = False
        self.buffer = b""
        self.replies = []

    def begin(self):
        """A new connection; the bytes of its handshake."""
        self.buffer, self.attached, self.head, self.parts = b"", False, True, []
        self.unsaid = 0
        offered = f"httpsocket.v1, parts, key.{self.key}"
        if self.id:
            offered += f", session.{self.id}, received.{self.received}"
        return (
            f"GET {self.path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nOrigin: {ORIGIN}\r\n"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n"
            f"Sec-WebSocket-Protocol: {offered}\r\n\r\n"
        ).encode()

    # ---- what it says

    def replay(self):
        return b"".join(self.outbox)

    def speak(self):
        """Some new numbers, or nothing if enough is under way."""
        said = []
        for _ in range(self.chance.randrange(1, 5)):
            if self.wanted - self.heard > WANTED_MAX or len(self.outbox) > 100:
                break
            said.append(self._number())
        self.outbox.extend(said)
        return b"".join(said)

    def _number(self):
        dice = self.chance.random()
        wanted = 0 if dice < 0.3 else 1 if dice < 0.8 else self.chance.randrange(2, 20)
        size = self.chance.randrange(40 if dice < 0.9 else 3000 if dice < 0.998 else 40000)
        fill = chr(97 + self.sent % 26) * size
        if self.chance.random() < 0.1:
            said = frame(BINARY, f"b\n{self.sent} {wanted} {fill}".encode())
        else:
            said = frame(TEXT, f'c [{self.sent},{wanted},"{fill}"]'.encode())
        self.sent += 1
        self.wanted += wanted
        self.fills.extend([fill] * wanted)
        return said

    def ask(self):
        """The last question: what the program has counted."""
        self.asked = True
        self.outbox.append(frame(TEXT, b"report?1"))
        return self.outbox[-1]

    # ---- what it hears

    def take(self, data):
        """Bytes of the connection. Returns what is to be said at once."""
        self.buffer += data
        if self.head:
            self._take_head()
        out = []
        if not self.head:
            self._take_frames(out)
        return b"".join(out)

    def _take_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        status = self.buffer[9:12]
        if status != b"101":
            if status in (b"408", b"502", b"503", b"504"):
                raise Lost(f"HTTP {status.decode()}")
            raise Fault(f"the handshake was answered by {self.buffer[:end]!r}")
        self.buffer = self.buffer[end + 4 :]
        self.head = False

    def _take_frames(self, out):
        data, at, size = self.buffer, 0, len(self.buffer)
        while size - at >= 2:
            n, start = data[at + 1], at + 2
            if n == 126:
                start = at + 4
                n = int.from_bytes(data[at + 2 : start], "big") if size >= start else size
            elif n == 127:
                start = at + 10
                n = int.from_bytes(data[at + 2 : start], "big") if size >= start else size
            if start + n > size:
                break
            self._message(data[at] & 15, data[start : start + n], out)
            at = start + n
        self.buffer = data[at:]
        if self.unsaid >= 16 or (self.unsaid and self.chance.random() < 0.5):
            self.unsaid = 0
            out.append(frame(TEXT, b".ack %d" % self.received))

    def _message(self, op, data, out):
        if op == CLOSE:
            self._closed(data)
        elif op == PING:
            out.append(frame(PONG, data))
        elif op == TEXT and data[:1] == b".":
            self._control(data, out)
        elif op == BINARY and data[0] < 32:
            self._part(data[0], data[1:])
        elif op in (TEXT, BINARY):
            self.received += 1
            self.unsaid += 1
            self._hear(op, data)

    def _part(self, kind, data):
        self.parts.append(data)
        if kind != MORE:
            self.received += 1
            self.unsaid += 1
            whole, self.parts = b"".join(self.parts), []
            self._hear(TEXT if kind == LAST_TEXT else BINARY, whole)

    def _closed(self, data):
        code = int.from_bytes(data[:2], "big") if len(data) > 1 else 1005
        if self.report and code in (1000, 4410):
            self.over = True
        elif code not in TEMPORARY:
            raise Fault(f"closed with {code} {data[2:].decode()}")
        raise Lost(f"closed with {code}")

    def _control(self, data, out):
        if data.startswith(b".welcome "):
            welcome = json.loads(data[9:])
            if self.id and welcome["session"] != self.id:
                raise Fault("another session was welcomed")
            self.id = welcome["session"]
            self.attached = True
            self._forget(welcome["received"])
        elif data.startswith(b".ack "):
            self._forget(int(data[5:]))
        elif data == b".ping":
            out.append(PONG_TEXT)

    def _forget(self, count):
        if not self.forgotten <= count <= self.forgotten + len(self.outbox):
            raise Fault(
                f"the server has received {count}; sent are {self.forgotten + len(self.outbox)},"
                f" acknowledged were {self.forgotten}"
            )
        while self.forgotten < count:
            self.outbox.popleft()
            self.forgotten += 1

    def _hear(self, op, data):
        if data.startswith(b"n [") and op == TEXT:
            number, fill = data[3:-2].decode().split(',"')
        elif data.startswith(b"m\n") and op == BINARY:
            number, fill = data[2:].decode().split(" ", 1)
        elif data.startswith(b"=1 "):
            self._reported(json.loads(data[3:]))
            return
        else:
            raise Fault(f"heard {data[:60]!r} … {data[-20:]!r}, {len(data)} bytes, op {op}")
        if int(number) != self.heard:
            raise Fault(f"number {self.heard} was due, and {number} came")
        if not self.fills or fill != self.fills.popleft():
            raise Fault(f"number {number} carries {fill[:40]!r}")
        self.heard += 1

    def _reported(self, report):
        due = {"received": self.sent, "sent": self.wanted, "faults": 0}
        if {name: report[name] for name in due} != due or self.heard != self.wanted:
            raise Fault(f"the program reports {report}; {due} were due; {self.heard} were heard")
        self.report = report
