#!/usr/bin/env python3
"""Counts, and saves the count in its page. The page has a form that nobody saves, and can upload.
`add N` adds; `tell` answers with what the program knows; `crash` and `leave` make it end."""
import json
import os
import sys

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>tally</title>
<script src="/.httpsocket/client.js"></script>
<script>
  window.states = [];
  for (const type of ['open', 'suspend', 'resume', 'restore', 'close'])
    document.serverConnection.addEventListener(type, ({ data }) => states.push([type, data]));
  document.serverConnection.oncount = (n) => (document.querySelector('output').value = n);
</script>
<form><textarea name="text"></textarea><button>Send</button></form>
<output>0</output>
"""

direct = os.environ.get("HTTPSOCKET_CONNECT")
sys.stdout.write("Content-Type: text/html; charset=utf-8\n\n" + ("" if direct else PAGE))
sys.stdout.flush()
os.close(1)

end = os.fdopen(3, "rb+", buffering=0)
lines = os.fdopen(os.dup(3), "rb")
known = {"count": 0, "uploads": {}, "submits": 0}
told = {"pid": os.getpid(), "restored": None, "version": 1, "seen": []}
done, files = 0, {}


def say(line):
    data = memoryview(line.encode() + b"\n")
    while data:
        data = data[end.write(data) :]


def save():
    say(f".save {json.dumps(known)}")
    say(f".confirm {done}")
    say(f"count {known['count']}")


def control(head, data):
    name = head.decode()
    if name == ".restore":
        known.update(data.pop("state"))
        told["restored"] = data
    elif name == ".attach" and not data.get("resumed"):
        say('.listen {"on":"submit","as":"submitted","prevent":true}')
        if not told["restored"]:
            save()
        else:
            say(f"count {known['count']}")
    elif name == ".stream":
        files[str(data["id"])] = [data["data"]["name"], 0]
        say(f'.accept {{"id":{data["id"]}}}')
    elif name == ".end":
        file, size = files.pop(str(data["id"]))
        known["uploads"][file] = size
        save()
        say(f'.end {{"id":{data["id"]}}}')


for line in lines:
    head, _, data = line.rstrip(b"\n").partition(b" ")
    if head.startswith(b".stream/"):
        files[head[8:].decode()][1] += len(lines.read(int(data[1:]) + 1)) - 1
        continue
    value = json.loads(data) if data else None
    if head.startswith(b"."):
        control(head, value)
        continue
    done += 1
    name, _, call = head.decode().partition("?")
    told["seen"].append([name, value])
    if name == "add":
        known["count"] += value
    elif name == "submitted":
        known["submits"] += 1
    elif name == "tell":
        say(f"={call} {json.dumps({**known, **told})}")
        say(f".confirm {done}")
        continue
    elif name == "crash":
        os.kill(os.getpid(), 9)
    elif name == "leave":
        sys.exit(0)
    save()
