#!/usr/bin/env python3
"""Notes what it is told, in order, and saves that: after each message by hand, `?exact` with
`.confirm`, `?rare` after each fifth one, `?never` unless told to; `?bytes` as bytes."""
import json
import os
import socket
import sys

sys.stdout.write("Content-Type: text/html; charset=utf-8\n\n<!doctype html>\n<title>ledger</title>")
sys.stdout.flush()
os.close(1)

mode = os.environ.get("QUERY_STRING", "")
connection = socket.socket(fileno=3)
page = connection.makefile("rb")
notes, pad, counted, at_end = [], "", 0, False


def write(text):
    connection.sendall(text.encode())


def say(name, data):
    write(f"{name} {json.dumps(data, separators=(',', ':'))}\n")


def save(then=""):
    state = json.dumps({"notes": notes, "pad": pad}, separators=(",", ":"))
    if mode == "bytes":
        write(f".save @{len(state)}\n{state}\n")
    else:
        write(f".save {state}\n{then}")


say("started", {"pid": os.getpid(), "restore": os.environ.get("HTTPSOCKET_RESTORE")})
if mode == "exact":
    write(".confirm 0\n")
for raw in page:
    head, _, rest = raw.rstrip(b"\n").decode().partition(" ")
    name, _, call = head.partition("?")
    if name == ".state":
        notes = json.loads(page.read(int(rest[1:])))["notes"]
        page.read(1)
        continue
    if name.startswith("."):
        data = json.loads(rest)
        if name == ".restore" and not data.get("bytes"):
            notes = data.pop("state")["notes"]
        if name in (".restore", ".attach", ".detach", ".problem"):
            say("told", [name, data])
        continue
    counted += 1
    if name == "note":
        notes.append(json.loads(rest))
        say("noted", notes[-1])
    elif name == "notes":
        write(f"={call} {json.dumps(notes, separators=(',', ':'))}\n")
    elif name == "pad":
        pad = "x" * json.loads(rest)
    elif name == "write":
        write(json.loads(rest))
        continue
    elif name == "die" and "HTTPSOCKET_RESTORE" not in os.environ:
        os.kill(os.getpid(), 9)
    elif name == "last":
        notes.append(json.loads(rest))
        save()
        notes.append("too")
        save()
        sys.exit(3)
    elif name == "exit":
        sys.exit(json.loads(rest))
    elif name == "savesAtEnd":
        at_end = True
    elif name == "hang" and "HTTPSOCKET_RESTORE" not in os.environ:
        page.read()
        break
    if mode == "exact":
        save(f".confirm {counted}\n")
    elif mode in ("", "bytes") or (mode == "rare" and counted % 5 == 0) or name == "save":
        save()
if at_end:
    save()
