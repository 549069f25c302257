#!/usr/bin/python3
"""A program of byte streams: `.stream`'s name says what becomes of each.

echo: the bytes go back, the end too. hash: only counted; an event `hashed` at the end. give:
data.size bytes are written at once. refuse, silent: as they say. wait: nothing is read from
descriptor 3 until the file data.until is there. Anything that the page sends as event `say` is
written to descriptor 3 as it is; all lines are told on stderr.
"""
import hashlib
import json
import os
import socket
import time

print("Content-Type: text/plain\n\nstreams", flush=True)
os.close(1)
page = socket.socket(fileno=3)
lines = page.makefile("rb", buffering=1 << 16)
streams = {}


def say(line, body=None):
    page.sendall(line.encode() + (b" @%d\n%s\n" % (len(body), body) if body is not None else b"\n"))


def opened(stream):
    streams[stream["id"]] = {**stream, "hash": hashlib.sha256(), "count": 0}
    if stream["name"] == "refuse":
        say('.reset {"id":%d,"reason":"no-room","message":"not today"}' % stream["id"])
    elif stream["name"] != "silent":
        say(".accept " + json.dumps({"id": stream["id"], "data": {"for": stream.get("data")}}))
    if stream["name"] == "give":
        say(".stream/%d" % stream["id"], os.urandom(1) * stream["data"]["size"])
        say('.end {"id":%d}' % stream["id"])
        say("gave")
    elif stream["name"] == "wait":
        while not os.path.exists(stream["data"]["until"]):
            time.sleep(0.01)


def came(number, body):
    stream = streams[number]
    stream["hash"].update(body)
    stream["count"] += len(body)
    if stream["name"] == "echo":
        say(".stream/%d" % number, body)


def ended(number):
    stream = streams[number]
    if stream["name"] in ("hash", "wait"):
        say(
            "hashed " + json.dumps({"sha256": stream["hash"].hexdigest(), "count": stream["count"]})
        )
    if stream["name"] != "give":
        say('.end {"id":%d}' % number)


while line := lines.readline():
    head, _, rest = line.decode().rstrip("\n").partition(" ")
    body = None
    if rest.startswith("@"):
        body = lines.read(int(rest[1:]) + 1)[:-1]
    if head == ".stream":
        opened(json.loads(rest))
    elif head.startswith(".stream/"):
        came(int(head[8:]), body)
    elif head == ".end":
        ended(json.loads(rest)["id"])
    elif head == ".reset":
        say("was_reset " + rest)
    elif head == "say":
        page.sendall(json.loads(rest).encode())
    elif head == "ping":
        say("pong")
