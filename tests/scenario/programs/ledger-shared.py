#!/usr/bin/env python3
"""As ledger.py, for many pages in one process: `die` ends them all."""
import json
import os
import socket

channel = socket.socket(fileno=3)
lines = channel.makefile("rb")
pages = {}
PAGE = "Content-Type: text/html; charset=utf-8\n\n<!doctype html>\n<title>ledger</title>"


def say(page, name, *data):
    text = "".join(" " + json.dumps(d, separators=(",", ":")) for d in data)
    channel.sendall(f"@{page} {name}{text}\n".encode())


channel.sendall(b".shared\n")
for raw in lines:
    page, _, rest = raw.rstrip(b"\n").decode().partition(" ")
    page = page[1:]
    head, _, data = rest.partition(" ")
    name, _, call = head.partition("?")
    if name == ".join":
        pages[page] = []
        join = json.loads(data)
        if join["page"]:
            say(page, ".answer", PAGE)
        say(page, ".answer")
        say(page, "started", {"pid": os.getpid(), "restore": join.get("restore")})
    elif name == ".leave":
        del pages[page]
    elif name == ".restore":
        restore = json.loads(data)
        pages[page] = restore.pop("state")
        say(page, "told", [name, restore])
    elif name == ".attach":
        say(page, "told", [name, json.loads(data)])
    elif name == "note":
        pages[page].append(json.loads(data))
        say(page, "noted", pages[page][-1])
        say(page, ".save", pages[page])
    elif name == "notes":
        say(page, f"={call}", pages[page])
        say(page, ".save", pages[page])
    elif name == "die":
        os.kill(os.getpid(), 9)
