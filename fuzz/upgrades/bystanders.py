# SPDX-License-Identifier: MIT
"""bystanders.py - what goes on beside the crowd, a process of its own: requests without an end on
new and on kept connections, a plain WebSocket, pages that publish and hear a topic, byte streams.

Each of them checks that all comes, once, and in order. A fault is told by check().
"""
import base64
import multiprocessing
import os
import socket
import struct
import threading
import time

from page import BINARY, CLOSE, HOST, ORIGIN, PING, PONG, TEXT, Fault, frame

PAGES = 8
SECONDS = 30  # for anything
OPEN, OPENED, DATA, STATE = 1, 2, 3, 4
WINDOW = 1 << 40


class WebSocket:
    def __init__(self, port, path, protocol=None):
        self.sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.sock.settimeout(SECONDS)
        self.buffer = b""
        offered = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self.sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nOrigin: {ORIGIN}\r\n{offered}"
            f"Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise Fault(f"{path} was answered by {head[:60]!r}")

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Fault("a WebSocket has ended")
        self.buffer += data

    def _take(self, n):
        while len(self.buffer) < n:
            self._more()
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def says(self, op, data):
        self.sock.sendall(frame(op, data))

    def hears(self):
        while True:
            op, n = self._take(2)
            if n == 126:
                n = int.from_bytes(self._take(2), "big")
            elif n == 127:
                n = int.from_bytes(self._take(8), "big")
            data = self._take(n)
            if op & 15 == CLOSE:
                raise Fault(f"a WebSocket was closed with {data!r}")
            if op & 15 == PING:
                self.says(PONG, data)
            elif op & 15 != PONG:
                return op & 15, data


def ask(sock, path):
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    data = b""
    while not data.endswith(b"static\n"):
        more = sock.recv(65536)
        if not more:
            raise Fault(f"a request was not answered: {data[:60]!r}")
        data += more
    if b" 200 " not in data[:20]:
        raise Fault(f"a request was answered by {data[:60]!r}")


class Work:
    """In the process of its own."""

    def __init__(self, port, counts, stop):
        self.port, self.counts, self.stop = port, counts, stop

    def count(self, what, n=1):
        with self.counts[what].get_lock():
            self.counts[what].value += n

    def longest(self, ms):
        with self.counts["slowest_ms"].get_lock():
            self.counts["slowest_ms"].value = max(self.counts["slowest_ms"].value, int(ms))

    def new_connections(self):
        while not self.stop.is_set():
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", self.port), SECONDS) as sock:
                sock.settimeout(SECONDS)
                ask(sock, "/a.txt")
            self.longest((time.monotonic() - began) * 1000)
            self.count("requests")
            time.sleep(0.01)

    def kept_connection(self):
        with socket.create_connection(("127.0.0.1", self.port), SECONDS) as sock:
            sock.settimeout(SECONDS)
            while not self.stop.is_set():
                ask(sock, "/a.txt")
                self.count("requests")
                time.sleep(0.02)

    def plain(self):
        plain = WebSocket(self.port, "/cat")
        n = 0
        while not self.stop.is_set():
            text = b"%d %s" % (n, b"x" * (n * 7 % 5000))
            plain.says(TEXT, text)
            if plain.hears() != (TEXT, text):
                raise Fault("a plain message came back as another one")
            n += 1
            self.count("plain")
            time.sleep(0.01)

    def page(self, index):
        key = base64.urlsafe_b64encode(os.urandom(18)).decode()
        page = WebSocket(self.port, "/board", f"httpsocket.v1, key.{key}")
        heard, sent, echoed, stream, received = None, 0, 0, 0, 0
        page.says(BINARY, struct.pack("!BI", OPEN, 1) + b'{"kind":"stream","name":"echo"}')
        opened = False
        published = time.monotonic()
        page.sock.settimeout(SECONDS)
        while not self.stop.is_set():
            op, data = page.hears()
            if op == TEXT and data == b".ping":
                page.says(TEXT, b".pong")
            elif op == BINARY and data[0] < 0x10:
                kind, body = data[0], data[5:]
                if kind == OPENED:
                    opened = True
                    page.says(BINARY, struct.pack("!BIQQ", STATE, 1, 0, WINDOW))
                elif kind == DATA:
                    want = bytes((echoed + i) & 255 for i in range(len(body)))
                    if body != want:
                        raise Fault("bytes of a stream came back as others")
                    echoed += len(body)
                    self.count("bytes", len(body))
                    page.says(BINARY, struct.pack("!BIQQ", STATE, 1, echoed, WINDOW))
                elif kind not in (STATE,):
                    raise Fault(f"a frame of kind {kind}: {body[:80]!r}")
            elif op == TEXT and data.startswith(b"heard "):
                seq = int(data[7:].split(b",")[0])
                if heard is not None and seq != heard + 1:
                    raise Fault(f"event {heard + 1} of the topic was due, and {data!r} came")
                heard = seq
                received += 1
                self.count("events")
                page.says(TEXT, b".ack %d" % received)
            if opened and sent - echoed < 20000:
                body = bytes((sent + i) & 255 for i in range(1000 + index))
                page.says(BINARY, struct.pack("!BI", DATA, 1) + body)
                sent += len(body)
            if time.monotonic() - published > 0.05:
                published = time.monotonic()
                page.says(TEXT, b"publish %d" % stream)
                stream += 1
            time.sleep(0.005)
        page.says(TEXT, b'.close {"reason":"done"}')
        try:
            while True:  # what is not read would destroy it
                page.hears()
        except Fault:
            page.sock.close()

    def run(self, faults):
        works = [self.new_connections, self.new_connections, self.kept_connection, self.plain]
        works += [lambda i=i: self.page(i) for i in range(PAGES)]

        def guarded(work):
            try:
                work()
            except (Fault, OSError) as error:
                if not self.stop.is_set():
                    faults.put(f"{getattr(work, '__name__', 'page')}: {error!r}")

        threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        self.stop.wait()
        for thread in threads:
            thread.join(SECONDS)


COUNTS = ("requests", "plain", "events", "bytes", "slowest_ms")


class Bystanders:
    def __init__(self, port):
        self.counts = {name: multiprocessing.Value("Q", 0) for name in COUNTS}
        self.stop = multiprocessing.Event()
        self.faults = multiprocessing.Queue()
        self.process = multiprocessing.Process(
            target=Work(port, self.counts, self.stop).run, args=(self.faults,), daemon=True
        )
        self.process.start()

    def check(self):
        if not self.faults.empty():
            raise Fault(self.faults.get())
        if not self.process.is_alive():
            raise Fault("the bystanders have ended")

    def end(self):
        self.check()
        self.stop.set()
        self.process.join(SECONDS)

    def kill(self):
        self.process.kill()

    def report(self):
        now = {name: count.value for name, count in self.counts.items()}
        return (
            f"{now['requests']} requests, none refused, the slowest {now['slowest_ms']} ms;"
            f" {now['plain']} plain messages; {now['events']} events of a topic;"
            f" {now['bytes'] >> 10} KiB of streams"
        )
