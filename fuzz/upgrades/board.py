#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A page that subscribes to a topic and hands on what it hears; it accepts byte streams, and sends
their bytes back."""
import json
import os
import socket
import sys

sys.stdout.write("Content-Type: text/plain\n\nboard\n")
sys.stdout.flush()
os.close(1)
page = socket.socket(fileno=3)
lines = page.makefile("rb", buffering=1 << 16)


def say(line, body=None):
    page.sendall(line.encode() + (b" @%d\n%s\n" % (len(body), body) if body is not None else b"\n"))


say('.subscribe {"topic":"t","presence":{"pid":%d}}' % os.getpid())
while line := lines.readline():
    head, _, rest = line.decode().rstrip("\n").partition(" ")
    body = lines.read(int(rest[1:]) + 1)[:-1] if rest.startswith("@") else None
    if head == ".topic":
        event = json.loads(rest)
        say("heard %s" % json.dumps([event.get("seq"), event.get("data"), event.get("lost")]))
    elif head == "publish":
        say('.publish {"topic":"t","event":"n","data":%s}' % rest)
    elif head == ".stream":
        say('.accept {"id":%d}' % json.loads(rest)["id"])
    elif head.startswith(".stream/"):
        say(head, body)
    elif head == ".end":
        say(".end " + rest)
