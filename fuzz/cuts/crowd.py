# SPDX-License-Identifier: MIT
"""crowd.py - many pages at once over connections that are cut: by a reset, an end, a half-close, a
black hole (open, and silent for ever), in the middle of any byte either way, and all at once.

One thread, epoll. Each connection has a plan when it begins: what cuts it, and how.
"""
import collections
import heapq
import random
import select
import socket
import struct
import time

from page import CLOSE, TEXT, Fault, Lost, Page, frame

IN, OUT = select.EPOLLIN, select.EPOLLOUT
RESET = struct.pack("ii", 1, 0)
IP_BIND_ADDRESS_NO_PORT = 24
HOW = ("reset", "reset", "close", "half-close", "black-hole", "goodbye")
STALLED_SECONDS = 60
STORM_SECONDS = 2
NOTICED_SECONDS = 0.1


class Link:
    """One connection of a page."""

    __slots__ = ("page", "sock", "fd", "out", "up", "down", "up_most", "down_most", "how", "state")

    def __init__(self, page):
        self.page, self.state = page, "connecting"
        self.up = self.down = 0
        self.out = b""
        self.up_most = self.down_most = None


class Crowd:
    def __init__(self, port, paths, count, seed):
        self.port = port
        self.chance = random.Random(seed)
        self.pages = [
            Page(paths[i % len(paths)], random.Random(f"{seed}/{i}")) for i in range(count)
        ]
        self.epoll = select.epoll()
        self.links = {}
        self.clock = []  # (when, order, what, argument)
        self.order = 0
        self.cuts = collections.Counter()
        self.attached_cuts = 0
        self.lost = collections.Counter()  # connections that the server ended
        self.cutting = True
        self.last_progress = time.monotonic()

    # ---- connections

    def connect(self, page):
        link = Link(page)
        link.sock = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((f"127.0.{self.chance.randrange(1, 5)}.{self.chance.randrange(1, 251)}", 0))
        sock.connect_ex(("127.0.0.1", self.port))
        link.fd = sock.fileno()
        link.out = page.begin()
        if self.cutting:
            self._plan(link)
        self.links[link.fd] = page.link = link
        self.epoll.register(link.fd, OUT)

    def _plan(self, link):
        dice = self.chance.random()
        link.how = self.chance.choice(HOW)
        if dice < 0.4:
            link.down_most = self.chance.randrange(self.chance.choice((300, 700, 3000)))
        elif dice < 0.8:
            link.up_most = self.chance.randrange(self.chance.choice((500, 900, 3000)))
        else:
            self._at(self.chance.random() * 0.3, self._cut_if_still, link)

    def _cut_if_still(self, link):
        if self.links.get(link.fd) is link and self.cutting:
            self.cut(link, link.how)

    def cut(self, link, how):
        if how == "goodbye" and (link.out or link.up == link.up_most):
            how = "close"  # a close frame would be taken for the rest of another one
        self.cuts[how] += 1
        self.attached_cuts += link.page.attached
        sock = link.sock
        self._forget(link)
        try:
            if how == "goodbye":
                sock.send(frame(CLOSE, struct.pack("!H", 1001)))
            elif how == "half-close":
                sock.shutdown(socket.SHUT_WR)
            elif how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except OSError:
            pass
        if how in ("half-close", "black-hole"):
            self._at(self.chance.random() * self.chance.choice((0.05, 0.5, 2)), self._end, sock)
        else:
            sock.close()
        # That a connection is dead without a word nobody knows at once.
        self._come_back(link.page, NOTICED_SECONDS if how == "black-hole" else 0)

    def _end(self, sock):
        if self.chance.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()

    def _forget(self, link):
        self.epoll.unregister(link.fd)
        del self.links[link.fd]
        link.page.link = None

    def _come_back(self, page, least):
        dice = self.chance.random()
        delay = least if dice < 0.6 else least + self.chance.random() * (0.05 if dice < 0.95 else 1)
        self._at(delay, self._reconnect, page)

    def _reconnect(self, page):
        if not page.over and not page.link:
            self.connect(page)

    def _lost(self, link, why):
        self.lost[why] += 1
        self._forget(link)
        link.sock.close()
        if not link.page.over:
            self._at(self.chance.random() * 0.1, self._reconnect, link.page)

    def _at(self, delay, what, argument):
        self.order += 1
        heapq.heappush(self.clock, (time.monotonic() + delay, self.order, what, argument))

    # ---- bytes

    def _say(self, link, data):
        link.out += data
        self._write(link)

    def _write(self, link):
        """Returns whether the link is still there."""
        out = link.out
        if link.up_most is not None and len(out) > link.up_most - link.up:
            out = out[: link.up_most - link.up]
        try:
            n = link.sock.send(out) if out else 0
        except BlockingIOError:
            n = 0
        except OSError as error:
            self._lost(link, str(error))
            return False
        link.up += n
        link.out = link.out[n:]
        if link.up_most is not None and link.up >= link.up_most:
            self.cut(link, link.how)
            return False
        self.epoll.modify(link.fd, IN | OUT if link.out else IN)
        return True

    def _read(self, link):
        try:
            data = link.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(link, str(error))
            return
        if not data:
            self._lost(link, "end of file")
            return
        page, was_attached = link.page, link.page.attached
        if link.down_most is not None:
            data = data[: link.down_most - link.down]
        link.down += len(data)
        try:
            reply = page.take(data)
        except Lost as why:
            self._lost(link, str(why))
            return
        self.last_progress = time.monotonic()
        if link.down_most is not None and link.down >= link.down_most:
            self.cut(link, link.how)
            return
        if page.attached:
            self._say(link, reply + self._more(page, not was_attached))

    def _more(self, page, is_new):
        data = page.replay() if is_new else b""
        if self.cutting:
            return data + page.speak()
        if not page.asked:
            data += page.ask()
        if page.report:
            data += frame(TEXT, b'.close {"reason":"done"}')
        return data

    # ---- the whole

    def run(self, cuts, seconds, tell):
        """Until so many cuts, or so long; then each page comes to its end. Raises Fault."""
        began = told = storm = time.monotonic()
        for page in self.pages:
            page.link = None
            self._at(self.chance.random(), self._reconnect, page)
        while self.cutting:
            self._turn()
            now = time.monotonic()
            if now - storm > STORM_SECONDS:
                storm = now
                self._storm()
            if now - told > 10:
                told = now
                tell(f"{self.cuts.total()} cuts, {self.cuts.total() / (now - began):.0f} a second")
            self.cutting = self.cuts.total() < cuts and now - began < seconds
        took = time.monotonic() - began
        for link in list(self.links.values()):  # these have a plan still
            self.cut(link, "close")
        while not all(page.over for page in self.pages):
            self._turn()
        return took

    def _storm(self):
        share = self.chance.choice((0.3, 1))
        how = self.chance.choice(HOW)
        for link in list(self.links.values()):
            if self.chance.random() < share:
                self.cut(link, how)

    def _turn(self):
        now = time.monotonic()
        while self.clock and self.clock[0][0] <= now:
            _, _, what, argument = heapq.heappop(self.clock)
            what(argument)
        wait = min(0.05, max(0, self.clock[0][0] - now)) if self.clock else 0.05
        for fd, events in self.epoll.poll(wait):
            link = self.links.get(fd)
            if link and events & OUT and not self._write(link):
                continue
            if link and events & ~OUT and self.links.get(fd) is link:
                self._read(link)
        if now - self.last_progress > STALLED_SECONDS:
            waiting = sum(not page.over for page in self.pages)
            raise Fault(f"nothing has come for {STALLED_SECONDS} s; {waiting} pages wait")
