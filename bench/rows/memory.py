# SPDX-License-Identifier: MIT
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile

from ..lib.contenders import OURS, Absent, built, start_daemon, start_echo
from ..lib.process import Failed
from ..lib.row import Row, Section

WARM = 20
UNIT = "bytes"


def row(name, what, goal, before):
    return Row(
        f"memory-{name}", f"idle {what}", UNIT, better="less", goal=goal, before=before, digits=0
    )


CONNECTION = row("connection", "connection", 192, (("µWS", "254"), ("ours", "319")))
SESSION = row(
    "session", "session (with its connection, without its program)", 512, (("ours", "1024"),)
)
MEMBER = row("member", "page of a shared program", 1024, (("ours", "2408"),))
WSS = row("wss", "connection by TLS, beyond one without", 6144, (("ours", "14 300"),))
ROWS = (CONNECTION, SESSION, MEMBER, WSS)

HANDSHAKE = (
    b"GET /%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n"
)
SESSION_HEAD = (
    b"Origin: http://127.0.0.1:%d\r\nSec-WebSocket-Protocol: httpsocket.v1, key.%022d\r\n"
)


class Clients:
    """Connections that have said and heard something, and are idle now."""

    def __init__(self, server, path=b"", session=False, tls=None):
        self.server, self.path, self.session, self.tls = server, path, session, tls
        self.sockets = []

    def add(self, count):
        for _ in range(count):
            self.sockets.append(self.open(len(self.sockets)))

    def open(self, number):
        s = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        if self.tls:
            s = self.tls.wrap_socket(s)
        more = SESSION_HEAD % (self.server.port, number) if self.session else b""
        s.sendall(HANDSHAKE % (self.path, self.server.port, more))
        data = self.read_until(s, b"\r\n\r\n")
        if self.path and b"ready" not in data:
            self.read_until(s, b"ready")
        if self.session:
            s.sendall(b"\x81\x86\0\0\0\0.ack 1")
        if not self.path:
            s.sendall(b"\x81\x84\0\0\0\0ping")
            self.read_until(s, b"\x81\x04ping")
        return s

    @staticmethod
    def read_until(s, mark):
        data = b""
        while mark not in data:
            more = s.recv(4096)
            if not more:
                raise Failed(f"the server has closed: {data!r}")
            data += more
        return data

    def close(self):
        for s in self.sockets:
            s.close()


def grown(server, count, **how):
    """Bytes that the server grows by for each of `count`."""
    clients = Clients(server, **how)
    try:
        clients.add(WARM)
        before = server.own_memory()
        clients.add(count)
        return (server.own_memory() - before) / count
    finally:
        clients.close()
        server.stop()


def certificate(folder):
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"]
    subject = ["-subj", "/CN=localhost", "-newkey", "rsa:2048", "-nodes"]
    command = ["openssl", "req", "-x509", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return ["--tls-cert", folder / "cert.pem", "--tls-key", folder / "key.pem"]


def note(bench, row, name, work):
    if not bench.wants(name):
        return
    try:
        bench.note(row, name, [work() for _ in range(1 if bench.quick else 3)])
    except (Absent, Failed, OSError) as why:
        bench.absent(row, name, str(why))


def measure(bench, rows):
    many = 1000 if bench.quick else 5000
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as name:
        folder = pathlib.Path(name)
        root = folder / "root"
        root.mkdir()
        for program in ("idle", "idle-shared"):
            shutil.copy(built("bench/program"), root / program)
        if CONNECTION in rows:
            measure_connections(bench, many)
        for each in OURS:
            measure_pages(bench, rows, each, root, folder, many)


def measure_connections(bench, many):
    for name in [*OURS, "libwebsockets", "ws"]:
        count = min(many, 1000) if name == "libwebsockets" else many
        note(bench, CONNECTION, name, lambda: grown(start_echo(name), count))


def measure_pages(bench, rows, name, root, folder, many):
    def daemon(*more):
        return start_daemon(name, root, *more)

    few = 100 if bench.quick else 500
    if SESSION in rows:
        note(
            bench,
            SESSION,
            name,
            lambda: grown(daemon(), few, path=b"idle", session=True)
            - grown(daemon(), few, path=b"idle")
            + grown(start_echo(name), many),
        )
    if MEMBER in rows:
        note(bench, MEMBER, name, lambda: grown(daemon(), many, path=b"idle-shared", session=True))
    if WSS in rows:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        note(
            bench,
            WSS,
            name,
            lambda: grown(daemon(*certificate(folder)), many // 2, path=b"idle-shared", tls=tls)
            - grown(daemon(), many // 2, path=b"idle-shared"),
        )


SECTION = Section(
    "memory",
    "Memory",
    """What the server's own memory (`Private_*` of its `smaps_rollup`: not the kernel's, which is
some 5 KB for each connection and the same for all) grows by for each idle client that has said and
heard something. A session is a page with a program of its own, less the same in the plain form,
plus a plain connection: the program's part is taken off. A page of a shared program has everything
in it: connection, session, member. TLS is what such a page without a session needs more.""",
    ROWS,
    measure,
)
