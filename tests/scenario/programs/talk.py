#!/usr/bin/env python3
"""A page that answers: echo, calls, bytes, and what a test asks of it."""
import json
import os
import socket
import sys

sys.stdout.write(
    "Content-Type: text/html; charset=utf-8\n\n<!doctype html>\n<html><head><title>talk</title></head></html>\n"
)
sys.stdout.flush()
os.close(1)

connection = socket.socket(fileno=3)
page = connection.makefile("rb")


def say(line):
    connection.sendall(line.encode() + b"\n")


say("started " + json.dumps({"pid": os.getpid()}))
for raw in page:
    head, _, rest = raw.rstrip(b"\n").decode().partition(" ")
    name, _, call = head.partition("?")
    if rest.startswith("@"):
        data = page.read(int(rest[1:]))
        page.read(1)
        connection.sendall(b"bytes @%d\n" % len(data) + data + b"\n")
    elif name in (".attach", ".detach"):
        say(f"told {json.dumps([name, json.loads(rest)])}")
    elif call and name == "add":
        say(f"={call} {sum(json.loads(rest))}")
    elif call and name == "count":
        for i in range(json.loads(rest)):
            say(f"+{call} {i}")
        say(f"={call}")
    elif call:
        say(f'!{call} {{"message":"no such call"}}')
    elif name == "write":
        connection.sendall(json.loads(rest).encode())
    elif name == "complain":
        sys.stderr.write(json.loads(rest))
        sys.stderr.flush()
    elif name == "exit":
        sys.exit(json.loads(rest))
    elif name == "kill":
        os.kill(os.getpid(), json.loads(rest))
    else:
        say(f"echo {json.dumps([name, json.loads(rest or 'null')])}")
sys.stderr.write("end of file\n")
