#!/usr/bin/env python3
"""A shared program that does what the pages say; it says so itself unless it was started as one. What a line is answered with goes back to its session, `all` to everybody."""
import json
import os
import signal
import socket
import sys
import time

PAGE = "<!doctype html><title>Shared</title><script src=/.httpsocket/client.js></script>\n"


class Gone(Exception):
    pass


class Channel:
    """Descriptor 3 by blocking reads and writes."""

    def __init__(self):
        self.socket = socket.socket(fileno=3)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line:
            raise Gone
        head, _, rest = line.rstrip(b"\n").partition(b" ")
        session = head[1:].decode() if head[:1] == b"@" else None
        name, _, data = rest.partition(b" ")
        if data[:1] == b"@":
            data = self.file.read(int(data[1:]) + 1)[:-1]
            return session, name.decode(), data
        return session, name.decode(), json.loads(data) if data else None

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, session, name, *data):
        text = "".join(" " + json.dumps(d, separators=(",", ":")) for d in data)
        self.raw(f"@{session} {name}{text}\n".encode())

    def send_bytes(self, session, name, data):
        self.raw(f"@{session} {name} @{len(data)}\n".encode() + data + b"\n")


fd = Channel()
if not os.environ.get("HTTPSOCKET_SHARED"):
    fd.raw(
        b".shared"
        + (
            b" " + os.environ["QUERY_STRING"].encode().replace(b"%22", b'"')
            if "{" in os.environ.get("QUERY_STRING", "")
            else b""
        )
        + b"\n"
    )
joined = {}
bodies = {}
full = set()


def answer(session, request):
    status, _, wait = request["query"].partition("&")
    if request["page"]:
        if status.isdigit():
            fd.send(
                session,
                ".answer",
                f"Status: {status}\nContent-Type: text/plain\n\nstatus {status}\n",
            )
        elif status == "env":
            fd.send(session, ".answer", "Content-Type: application/json\n\n" + json.dumps(request))
        elif status == "pid":
            fd.send(session, ".answer", f"Content-Type: text/plain\n\n{os.getpid()}\n")
        elif status == "silent":
            return
        elif status == "large":
            fd.send(session, ".answer", "Content-Type: application/octet-stream\n\n")
            for _ in range(int(wait)):
                fd.send_bytes(session, ".answer", b"z" * 65536)
        else:
            fd.send_bytes(
                session,
                ".answer",
                f"Content-Type: text/html\nContent-Length: {len(PAGE)}\n\n".encode(),
            )
            fd.send(session, ".answer", PAGE[:20])
            fd.send(session, ".answer", PAGE[20:])
            return
    elif status.isdigit():
        fd.send(session, ".answer", f"Status: {status}\n\n")
    fd.send(session, ".answer")


def on_line(session, name, data):
    if name == ".join":
        joined[session] = data
        if data["body"] is None:
            answer(session, data)
        else:
            bodies[session] = b""
    elif name == ".body":
        if data is not None:
            bodies[session] += data
        else:
            fd.send(
                session,
                ".answer",
                "Content-Type: text/plain\n\n" + bodies.pop(session).decode()[::-1],
            )
            fd.send(session, ".answer")
    elif name == ".leave":
        joined.pop(session, None)
        bodies.pop(session, None)
        full.discard(session)
        print("leave", data["reason"], file=sys.stderr, flush=True)
    elif name == ".full":
        full.add(session)
        print("full", file=sys.stderr, flush=True)
    elif name == ".ready":
        full.discard(session)
        print("ready", file=sys.stderr, flush=True)
    elif name in (".attach", ".detach"):
        fd.send(session, name[1:] + "ed", len(joined))
    elif name == "all":
        for other in joined:
            fd.send(other, "said", data)
    elif name == "me":
        fd.send(
            session,
            "you",
            {
                "session": session,
                "pid": os.getpid(),
                "pages": len(joined),
                "joined": joined[session],
            },
        )
    elif name == "message":
        fd.send(session, "message", data)
    elif name == "echo" and isinstance(data, bytes):
        fd.send_bytes(session, "echo", data)
    elif name == "echo":
        fd.send(session, "echo", data)
    elif name.startswith("add?"):
        fd.send(session, "=" + name[4:], sum(data))
    elif name == "raw" and isinstance(data, dict):
        fd.raw(f'@{session} hello "'.encode() + b"x" * data["endless"])
    elif name == "raw":
        fd.raw(data.replace("SESSION", session).encode())
    elif name == "flood":
        for i in range(data["count"]):
            if data.get("heed") and session in full:
                return flood_rest.append((session, i, data["count"]))
            fd.send_bytes(session, "flood", b"x" * data["size"])
    elif name == "to_others":
        for other in list(joined):
            if other != session:
                for i in range(data["count"]):
                    fd.send_bytes(other, "flood", b"x" * data["size"])
    elif name == "sleep":
        time.sleep(data)
    elif name == "exit":
        sys.exit(data)
    elif name == "kill":
        os.kill(os.getpid(), data)
    elif name == "close":
        fd.send(session, ".close", {"reason": data})
    elif name == "stderr":
        print(data, file=sys.stderr, flush=True)


flood_rest = []
print("started", os.getpid(), file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
try:
    while True:
        on_line(*fd.line())
except Gone:
    print("end of file", len(joined), file=sys.stderr, flush=True)
