#!/usr/bin/env python3
"""What a test asks of topics: writes the lines that its page hands it, and hands back the lines that the server writes."""
import json
import os
import signal
import socket
import sys

sys.stdout.write(
    "Content-Type: text/html; charset=utf-8\n\n<!doctype html>\n<html><head><title>board</title></head></html>\n"
)
sys.stdout.flush()
os.close(1)

connection = socket.socket(fileno=3)


def say(line):
    connection.sendall(line.encode() + b"\n")


say("started " + json.dumps({"pid": os.getpid()}))
query = os.environ["QUERY_STRING"].partition("subscribe=")[2]
if query:
    say(f".subscribe {json.dumps({'topic': query, 'presence': {}})}")
for raw in connection.makefile("rb"):
    head, _, rest = raw.rstrip(b"\n").decode().partition(" ")
    if head in (".attach", ".detach"):
        continue
    if head.startswith("."):
        say(f"heard {json.dumps([head[1:], json.loads(rest)])}")
    elif head == "write":
        connection.sendall(json.loads(rest).encode())
    elif head == "flood":
        flood = json.loads(rest)
        for i in range(flood["count"]):
            what = {"topic": flood["topic"], "event": "n", "data": [i, "x" * flood.get("size", 0)]}
            say(".publish " + json.dumps(what))
        say("flooded")
    elif head == "stop":
        say("stopping")
        os.kill(os.getpid(), signal.SIGSTOP)
    elif head == "exit":
        sys.exit(json.loads(rest))
