# SPDX-License-Identifier: MIT
"""hostile.py - clients without manners: each story is one visit, by a line that may break off at
any byte of it.
"""
import asyncio
import json
import re

from daemon import Finding
from line import Broken, Line, plan_of
from seals import Seals
from session import HOST, ORIGIN, Refused, attach, new_key, switch
from talk import Talk
from websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Closed, close_frame, frame

PATHS = (
    *("/hostile", "/hostile", "/named", "/named", "/declares"),
    *("/many", "/many", "/counter", "/counter", "/stdio", "/keeper", "/keepers"),
)
# Never those of honest pages that have no state.
RESTARTED = (
    *("/hostile", "/named", "/declares", "/keeper", "/keepers", "/h*", "/keep*", "/x", "/nowhere"),
    *("", "hostile", "%2fkeeper", "/keeper&path=/hostile", "/" + "x" * 3000),
)
KEYS = [new_key() for _ in range(12)]
NUMBER = re.compile(r"(?<=after )\d+")


class Guests:
    """What hostile clients know of others: ids with their keys, and paths."""

    def __init__(self):
        self.known = []
        self.seals = []  # (state, path)
        self.honest = []  # (id, path): their keys are known to nobody

    def meet(self, session, key, path):
        self.known.append((session, key, path))
        del self.known[:-25]

    def keep(self, state, path):
        self.seals.append((state, path))
        del self.seals[:-25]

    def see_honest(self, session, path):
        self.honest.append((session, path))
        del self.honest[:-20]


class Hostile:
    def __init__(self, server, chance, guests, targets):
        self.server, self.chance, self.guests, self.targets = server, chance, guests, targets

    async def run(self, until):
        """One visit after the other; none takes for ever."""
        while not until():
            name, story = self.chance.pick(*STORIES)
            self.chance.note(name)
            try:
                await asyncio.wait_for(story(self), 0.3 + self.chance.size(5))
                ended = "whole"
            except (Broken, Refused, Closed, asyncio.TimeoutError, ValueError) as error:
                ended = str(error) or type(error).__name__
            except OSError as error:
                ended = str(error)
                await asyncio.sleep(0.05)
            self.chance.history.ends[f"{name}: {NUMBER.sub('N', ended)[:60]}"] += 1

    # ---- words

    async def line(self):
        return await Line.open(self.server, self.chance, plan_of(self.chance))

    def path(self):
        path = self.chance.pick(*PATHS)
        if self.chance.percent(10):
            path += self.chance.pick("/x/y", "/", "//", "/%2e%2e", "/" + "z" * 900)
        how = self.chance.pick("", "", "k", "ck", "lb")
        return f"{path}?{how}{self.chance.below(10**6)}"

    def origin(self):
        return self.chance.pick(
            *[ORIGIN] * 8, None, "null", "https://evil.example", "http://b.test", "x"
        )

    def host(self):
        return self.chance.pick(*[HOST] * 9, "evil.example", "", "a.test:8000:1", "good.test")

    def head(self, method, *fields, path=None):
        return "\r\n".join(
            [
                f"{method} {path or self.path()} HTTP/1.{self.chance.pick(1, 1, 1, 1, 0)}",
                f"Host: {self.host()}",
                *fields,
                *self.odd_fields(),
                "",
                "",
            ]
        ).encode("latin1")

    def odd_fields(self):
        chance = self.chance
        odd = (
            f"Origin: {self.origin()}",
            f"X: {'x' * chance.size(20000)}",
            f"Cookie: a={chance.below(9)}",
            "Expect: 100-continue",
            "Connection: close",
            "Connection: keep-alive, Upgrade",
            "Range: bytes=0-10,20-30",
            "If-None-Match: *",
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Mode: no-cors",
            "X-Forwarded-For: 192.0.2.1, 127.0.0.9",
            "X-Forwarded-Proto: https",
            "Forwarded: for=192.0.2.7;proto=https",
            "Accept: application/httpsocket-refusal",
            "Accept: application/httpsocket-change",
            "Authorization: Basic eDp5",
            "Transfer-Encoding: chunked",
            "Content-Length: 3",
            "Upgrade: websocket",
        )
        return chance.sample(odd, chance.pick(0, 0, 0, 1, 1, 2, 4))

    async def drinks(self, line, most=1 << 20):
        """Reads what comes, perhaps slowly, perhaps nothing."""
        if self.chance.percent(20):
            await asyncio.sleep(self.chance.random())
            return
        read = 0
        while read < most:
            await line.fill()
            read += len(line.buffer)
            line.buffer.clear()

    def leaves(self, line):
        line.end(self.chance.pick("reset", "close", "half-close", "silence", "garbage"))

    # ---- HTTP

    async def asks(self):
        line = await self.line()
        try:
            method = self.chance.pick("GET", "GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "CONNECT")
            path = self.chance.pick(None, None, "/", "/large.bin", "/x", "/.httpsocket/client.js")
            for _ in range(self.chance.pick(1, 1, 1, 2, 9)):
                await line.send(self.head(method, path=path))
            await self.drinks(line)
        finally:
            self.leaves(line)

    async def posts(self):
        line = await self.line()
        try:
            body = self.chance.bytes(self.chance.size(200000))
            if self.chance.percent(50):
                await line.send(self.head("POST", f"Content-Length: {len(body)}"))
                await self.bit_by_bit(line, body)
            else:
                await line.send(self.head("POST", "Transfer-Encoding: chunked"))
                for _ in range(self.chance.below(8)):
                    part = self.chance.bytes(self.chance.size(20000))
                    told = len(part) if self.chance.percent(95) else self.chance.below(1 << 40)
                    await line.send(b"%x\r\n" % told + part + b"\r\n")
                if self.chance.percent(70):
                    await line.send(b"0\r\n" + self.chance.pick(b"\r\n", b"X: y\r\n\r\n"))
            await self.drinks(line)
        finally:
            self.leaves(line)

    async def bit_by_bit(self, line, data):
        while data and not self.chance.percent(10):
            n = self.chance.size(len(data)) + 1
            await line.send(data[:n])
            data = data[n:]
            if self.chance.percent(30):
                await asyncio.sleep(self.chance.random() * 0.1)
        if self.chance.percent(70):
            await line.send(data)

    async def babbles(self):
        line = await self.line()
        try:
            await line.send(self.chance.bytes(self.chance.size(3000)))
            await self.drinks(line)
        finally:
            self.leaves(line)

    async def sits(self):
        line = await self.line()
        try:
            await line.send(self.head("GET")[: self.chance.below(60)])
            await asyncio.sleep(self.chance.random() * 5)
        finally:
            self.leaves(line)

    # ---- WebSockets

    async def visits_plain(self):
        line = await self.line()
        try:
            path = self.chance.pick(self.path(), self.path(), "/lines", "/nowhere")
            offered = self.chance.pick(None, None, None, ["mqtt"], ["x", "y"])
            messages = await switch(line, path, offered, self.origin())
            await self.frames(line, messages)
        finally:
            self.leaves(line)

    async def frames(self, line, messages):
        chance = self.chance
        for _ in range(chance.size(40)):
            payload = chance.pick(b"hello", b'"x"', b"\xff\xfe", b"", b"x" * chance.size(100000))
            if chance.percent(1):
                payload = b"\1" * 2000000
            how = chance.below(12)
            if how == 0:
                await line.send(frame(TEXT, payload, fin=False))
                for _ in range(chance.below(4)):
                    await line.send(frame(PING, b"x" * chance.below(126)))
                    await line.send(frame(CONTINUATION, payload, fin=chance.percent(40)))
            elif how == 1:
                await line.send(frame(TEXT, payload, length=chance.size(1 << 62)))
            elif how == 2:
                await line.send(frame(chance.below(16), payload, rsv=chance.pick(0, 0, 1, 7)))
            elif how == 3:
                await line.send(frame(PONG, b"x", masked=chance.percent(80)))
            elif how == 4:
                await line.send(frame(BINARY, payload))
            elif how == 5:
                code = chance.pick(1000, 1001, 1005, 1006, 4000, 4410, 65535)
                await line.send(chance.pick(close_frame(code, "x"), frame(CLOSE, b"x")))
            else:
                await line.send(frame(TEXT, payload))
            if chance.percent(40):
                await self.listens(messages, 0.1)

    async def listens(self, messages, seconds):
        try:
            await asyncio.wait_for(messages.next(), self.chance.random() * seconds)
        except asyncio.TimeoutError:
            pass

    # ---- sessions

    async def visits(self):
        """A session: new by a common key, or known, with the right or the wrong key."""
        chance, path = self.chance, self.path()
        key, session = chance.pick(*KEYS), None
        if self.guests.known and chance.percent(50):
            session, key, path = chance.pick(*self.guests.known)
            if chance.percent(15):
                key = chance.pick(*KEYS)
            if chance.percent(10):
                path = self.path()
        elif chance.percent(40):
            session = await self.opens_page(path)
            key = new_key()
            self.guests.meet(session, key, path)
        at = await attach(
            self.server,
            path,
            chance,
            plan_of(chance),
            key,
            session,
            chance.pick(*[0] * 7, chance.below(20), chance.below(20), 2**53),
            origin=self.origin() if chance.percent(10) else ORIGIN,
            also=chance.pick((), ("state",), ("state",), ("state", "restore")),
        )
        try:
            self.guests.meet(at.welcome["session"], key, path)
            await Talk(self, at, path=path).go()
        finally:
            self.leaves(at.line)

    async def steals(self):
        """An honest page's session, by its id and a key of our own."""
        if not self.guests.honest:
            return
        session, path = self.chance.pick(*self.guests.honest)
        plan = plan_of(self.chance)
        received = self.chance.below(20)
        at = await attach(self.server, path, self.chance, plan, new_key(), session, received)
        at.line.reset()
        if at.welcome["session"] == session:
            raise Finding(f"a stranger was let into an honest session {session}")

    async def opens_page(self, path):
        line = await self.line()
        try:
            await line.send(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            _, fields, lines = await line.head()
            if "session-id" not in fields:
                raise Broken("no session")
            return next(x for x in lines if x.lower().startswith("session-id: "))[12:]
        finally:
            self.leaves(line)

    async def relays(self):
        """A page without a program, and its TCPConnections."""
        key, session = self.chance.pick(*KEYS), None
        path = self.chance.pick("/.httpsocket/connect", "/.httpsocket/connect", "/hostile?3")
        if self.chance.percent(30):
            mine = [one for one in self.guests.known if one[2] == path]
            if mine:
                session, key, _ = self.chance.pick(*mine)
        at = await attach(self.server, path, self.chance, plan_of(self.chance), key, session)
        try:
            self.guests.meet(at.welcome["session"], key, path)
            await Talk(self, at, streams=True).go()
        finally:
            self.leaves(at.line)

    async def brings_state(self):
        """A state, of this page or of another, as it was or not, to a new process."""
        await Seals(self).brings()

    # ---- the operator's listener

    async def administers(self):
        line = await Line.open(_Admin(self.server), self.chance, plan_of(self.chance))
        try:
            what = self.chance.below(8)
            if what == 0:
                target = self.chance.pick("good.test", "b.test", "a.test", "x")
                path = f"/.httpsocket/authorize?{self.chance.below(9)}"
                fields = (f"Origin: {self.origin()}", f"X-Forwarded-Host: {target}")
                await line.send(self.head("GET", *fields, path=path))
            elif what < 3:
                await self.publishes(line)
            elif what < 5:
                path = self.chance.pick(*RESTARTED)
                method = self.chance.pick("POST", "POST", "POST", "GET")
                await line.send(self.head(method, path=f"/restart?path={path}"))
            else:
                path = self.chance.pick("/metrics", "/sessions", "/healthz", "/x")
                await line.send(self.head("GET", path=path))
            await self.drinks(line)
        finally:
            self.leaves(line)

    async def publishes(self, line):
        event = {"topic": self.chance.pick("t1", "t2", "t9", "", "x" * 300), "event": "e"}
        event["data"] = self.chance.pick(1, None, "x" * self.chance.size(100000), [[]])
        event["keep"] = self.chance.pick(True, False, True, 3)
        body = json.dumps(self.chance.pick(event, [event] * self.chance.below(50), 5)).encode()
        if self.chance.percent(10):
            body = body[: self.chance.below(len(body) + 1)]
        token = self.chance.pick("t" * 20, "t" * 20, "t" * 20, "wrong")
        head = (
            f"POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await line.send(head.encode() + body)

    # ---- other origins

    async def is_foreign(self):
        line = await self.line()
        try:
            origin = self.chance.pick("http://b.test", "https://evil.example", "http://c.good.test")
            host = self.chance.pick("good.test:8000", f"n{self.chance.below(40)}.test:8000", HOST)
            offered = ["httpsocket.v1", f"key.{new_key()}"] if self.chance.percent(60) else None
            if self.chance.percent(30):
                fields = (f"Origin: {origin}", "Accept: application/httpsocket-refusal")
                await line.send(
                    "\r\n".join(
                        [f"GET {self.path()} HTTP/1.1", f"Host: {host}", *fields, "", ""]
                    ).encode()
                )
                await self.drinks(line)
            else:
                messages = await switch(line, self.path(), offered, origin, host)
                await self.frames(line, messages)
        finally:
            self.leaves(line)


class _Admin:
    """The operator's listener, as something a line may be opened to."""

    def __init__(self, server):
        self.port, self.tls = server.admin_port, False


STORIES = [
    (name, getattr(Hostile, name))
    for name, weight in (
        *(("asks", 3), ("posts", 3), ("babbles", 1), ("sits", 1), ("visits_plain", 4)),
        *(("visits", 9), ("relays", 4), ("administers", 2), ("is_foreign", 2)),
        *(("steals", 1), ("brings_state", 3)),
    )
    for _ in range(weight)
]
