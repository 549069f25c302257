#!/usr/bin/env python3
"""A page that is listened to. It calls `tell` with the lines that the program is to write, and
`heard` for what the program has heard since it was last asked: a list of [name, data]. What
happened in the page before it asked has been heard by then. Its policy is strict; ?connect=… adds a
server that it may connect to. Byte streams are taken and counted: `.end` tells what came."""
import hashlib
import json
import os
import sys
import urllib.parse

more = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"])).get("connect", "")
sys.stdout.write(
    f"""Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; \
img-src data:; connect-src 'self' {more}

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>listens</title>
<script src="/.httpsocket/client.js"></script>
<main></main>
"""
)
sys.stdout.flush()
os.close(1)

heard = []
streams = {}


def say(line):
    os.write(3, f"{line}\n".encode())


def take_stream(name, body, events):
    """Takes every stream, and tells its length and hash when it is complete."""
    if name == ".stream":
        opened = json.loads(body)
        streams[opened["id"]] = {
            "data": opened.get("data"),
            "name": opened["name"],
            "bytes": 0,
            "hash": hashlib.sha256(),
        }
        say(".accept " + json.dumps({"id": opened["id"], "data": {"taken": opened["name"]}}))
    elif name.startswith(".stream/"):
        stream, size = streams[int(name[8:])], int(body[1:])
        stream["hash"].update(events.read(size))
        stream["bytes"] += size
        events.read(1)
    else:
        number = json.loads(body)["id"]
        stream = streams.pop(number)
        heard.append([name, {**stream, "hash": stream["hash"].hexdigest()}])
        if name == ".end":
            say(".end " + json.dumps({"id": number}))


with open(3, "rb", closefd=False) as events:
    for line in events:
        head, _, body = line.decode().rstrip("\n").partition(" ")
        name, _, call = head.partition("?")
        if name == "tell":
            os.write(3, ("".join(f"{line}\n" for line in json.loads(body)) + f"={call}\n").encode())
        elif name == "heard":
            say(f"={call} {json.dumps(heard)}")
            heard.clear()
        elif name.startswith(".stream") or name in (".end", ".reset"):
            take_stream(name, body, events)
        elif name not in (".attach", ".detach"):
            heard.append([name, json.loads(body or "null")])
