#!/usr/bin/env python3
"""Counts what it is sent, and sends as much as it is told.

`put DATA` (JSON or bytes) is counted; `report?` answers with the count, the digest of all
that was put and the pid; `flood {"count":N,"size":S}` writes N events `part
{"i":...,"fill":...}` and then `flooded`; `bytes N` answers with as many bytes; `ask NAME`
calls the page, and says `answered` what came.
"""
import hashlib
import json
import os
import socket
import sys

os.write(1, b"Content-Type: text/html\n\n<!doctype html><title>tally</title>\n")
os.close(1)
connection = socket.socket(fileno=3)
page = connection.makefile("rb", buffering=1 << 16)
digest = hashlib.sha256()
count = 0


def say(line):
    connection.sendall(line.encode() + b"\n")


def body_of(rest):
    if not rest.startswith(b"@"):
        return rest
    data = page.read(int(rest[1:]))
    page.read(1)
    return data


for raw in page:
    head, _, rest = raw.rstrip(b"\n").partition(b" ")
    data = body_of(rest)
    name, _, call = head.decode().partition("?")
    if name == "put":
        digest.update(data)
        count += 1
    elif name == "report":
        say(
            f"={call} {json.dumps({'count': count, 'sha256': digest.hexdigest(), 'pid': os.getpid()})}"
        )
    elif name == "parts":
        for i in range(json.loads(data)):
            say(f"+{call} {i}")
        say(f"={call}")
    elif name == "same":
        connection.sendall(b"=%s @%d\n%s\n" % (call.encode(), len(data), data))
    elif call:
        say(f'!{call} {{"message":"no call {name}"}}')
    elif name == "flood":
        what = json.loads(data)
        for i in range(what["count"]):
            say(f'part {{"i":{i},"fill":"{"x" * what["size"]}"}}')
        say("flooded")
    elif name == "bytes":
        connection.sendall(b"bytes @%d\n" % int(data) + bytes(int(data)) + b"\n")
    elif name == "ask":
        say(f"{json.loads(data)}?1 [1,2]")
    elif name.startswith(("=", "+", "!")):
        say(f"answered {json.dumps([name, data.decode()])}")
    elif (
        name == "wait"
    ):  # for its writer to go: then the page is away, and stays so until we have written
        open(json.loads(data), "rb").read()
        say('last "words"')
        sys.exit(3)
