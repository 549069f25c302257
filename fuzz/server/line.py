# SPDX-License-Identifier: MIT
"""line.py - one TCP connection to the server, plain or TLS, that breaks off where it was told to.

A `Line` is opened with a plan: after how many bytes sent or received it breaks, and how. The story
that uses it knows nothing of that; it gets a `Broken`. Bytes are those of the wire, so a TLS
handshake is broken off as anywhere else.
"""
import asyncio
import collections
import contextlib
import socket
import ssl
import struct

READ_BYTES = 65536
DRIBBLED_MAX = 100000  # bytes; an honest page that dribbled on would take minutes
IP_BIND_ADDRESS_NO_PORT = 24
HOW = ("reset", "close", "half-close", "silence", "garbage")


class Broken(Exception):
    """The line is over: by its plan, or by the server."""


Plan = collections.namedtuple("Plan", "up down how dribble", defaults=(None, None, "reset", 0))


def plan_of(chance):
    """A random end for a line. Half of all have none."""
    if chance.percent(50):
        return Plan(how=chance.pick(*HOW), dribble=chance.percent(10))
    most = chance.pick(40, 400, 2000, 20000)
    return Plan(
        up=chance.below(most) if chance.percent(60) else None,
        down=chance.below(most) if chance.percent(60) else None,
        how=chance.pick(*HOW),
        dribble=chance.percent(15),
    )


_tls = ssl.create_default_context()
_tls.check_hostname = False
_tls.verify_mode = ssl.CERT_NONE


class Line(asyncio.Protocol):
    def __init__(self, chance, plan):
        self.chance, self.plan = chance, plan
        self.up = self.down = 0
        self.buffer = bytearray()  # for the story
        self.raw = bytearray()  # from the wire
        self.tls = None
        self.over = False
        self.why = None  # the wire has ended, and why
        self.waiting = None  # for bytes
        self.room = None  # to write
        self.writing = asyncio.Lock()

    @classmethod
    async def open(cls, server, chance, plan=Plan(), source=None):
        source = source or f"127.0.0.{10 + chance.below(40)}"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        line = cls(chance, plan)
        loop = asyncio.get_running_loop()
        try:
            sock.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
            await loop.sock_connect(sock, ("127.0.0.1", server.port))
            await loop.create_connection(lambda: line, sock=sock)
        except OSError as error:
            sock.close()
            raise Broken(str(error)) from error
        except BaseException:
            sock.close()
            raise
        try:
            if server.tls:
                await line._start_tls()
        except BaseException:
            line.reset()
            raise
        return line

    # ---- what the transport calls

    def connection_made(self, transport):
        self.transport = transport
        self.sock = transport.get_extra_info("socket")
        transport.set_write_buffer_limits(high=1 << 16)
        transport.pause_reading()  # until somebody reads

    def data_received(self, data):
        self.down += len(data)
        self.raw += data
        if len(self.raw) > READ_BYTES:
            self.transport.pause_reading()
        if self.plan.down is not None and self.down >= self.plan.down:
            self.end()
            self.why = f"cut after {self.down} bytes down"
        self._wake()

    def eof_received(self):
        self.why = self.why or "end of file"
        self._wake()
        return True

    def connection_lost(self, error):
        self.over = True
        self.why = self.why or str(error or "end of file")
        self._wake()
        self.resume_writing()

    def pause_writing(self):
        self.room = self.room or asyncio.get_running_loop().create_future()

    def resume_writing(self):
        if self.room and not self.room.done():
            self.room.set_result(None)
        self.room = None

    def _wake(self):
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    # ---- bytes of the wire

    async def _write(self, data):
        async with self.writing:
            while data:
                data = await self._write_some(data)

    async def _write_some(self, data):
        dribbles = self.plan.dribble and self.up < DRIBBLED_MAX
        piece = data[: 1 + self.chance.size(200)] if dribbles else data
        if self.plan.up is not None:
            piece = piece[: self.plan.up - self.up]
        if self.over:
            raise Broken(self.why or "over")
        self.transport.write(piece)
        self.up += len(piece)
        if self.plan.up is not None and self.up >= self.plan.up:
            self.end()
            raise Broken(f"cut after {self.up} bytes up")
        if self.room:
            await asyncio.shield(self.room)
        if dribbles:
            await asyncio.sleep(self.chance.random() * 0.01)
        return data[len(piece) :]

    async def _read(self):
        while not self.raw:
            if self.why or self.over:
                raise Broken(self.why or "over")
            self.transport.resume_reading()
            self.waiting = asyncio.get_running_loop().create_future()
            await self.waiting
        data, self.raw = bytes(self.raw), bytearray()
        return data

    # ---- TLS over them

    async def _start_tls(self):
        self.inward, self.outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = _tls.wrap_bio(self.inward, self.outward)
        await self._run_tls(self.tls.do_handshake)

    async def _run_tls(self, act):
        while True:
            try:
                result = act()
                await self._write(self.outward.read())
                return result
            except ssl.SSLWantReadError:
                await self._write(self.outward.read())
                self.inward.write(await self._read())
            except ssl.SSLError as error:
                raise Broken(f"tls: {error}") from error

    # ---- what a story uses

    async def send(self, data):
        if self.tls:
            if data:
                self.tls.write(data)
            await self._write(self.outward.read())
        else:
            await self._write(data)

    async def fill(self):
        """Reads more into the buffer; Broken at the end of file."""
        if self.tls:
            data = await self._run_tls(lambda: self.tls.read(READ_BYTES))
        else:
            data = await self._read()
        if not data:
            raise Broken("end of file")
        self.buffer += data

    async def take(self, n):
        while len(self.buffer) < n:
            await self.fill()
        taken = bytes(self.buffer[:n])
        del self.buffer[:n]
        return taken

    async def head(self):
        """The head of an HTTP answer: (status, lines)."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > 100000:
                raise Broken("a head without an end")
            await self.fill()
        at = self.buffer.index(b"\r\n\r\n")
        lines = bytes(self.buffer[:at]).decode("latin1").split("\r\n")
        del self.buffer[: at + 4]
        fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return int(lines[0].split(" ")[1]), fields, lines

    def end(self, how=None):
        """Ends the line in the way of its plan. A silent one stays open for a while, behind us."""
        if self.over:
            return
        self.over = True
        self.why = self.why or "over"
        how = how or self.plan.how
        if how == "garbage":
            self.transport.write(self.chance.bytes(self.chance.size(3000)))
        if how == "half-close":
            with contextlib.suppress(OSError):  # the server was faster
                self.transport.write_eof()
        if how in ("half-close", "silence"):
            self.transport.pause_reading()
            seconds = self.chance.random() * self.chance.pick(0.1, 0.5, 3)
            loop = asyncio.get_running_loop()
            loop.call_later(seconds, self._close, how == "silence")
        else:
            self._close(how != "close")
        self._wake()

    def reset(self):
        self.end("reset")

    def close(self):
        self.end("close")

    def _close(self, reset):
        if reset:
            try:
                linger = struct.pack("ii", 1, 0)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            except OSError:
                pass
        self.transport.abort()
