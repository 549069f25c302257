#!/usr/bin/env python3
"""A page whose policy, script element and body are in its query: ?csp=…&script=…&body=…. Its
program writes the lines that the page sends as `tell`, and answers `heard` with what it
has heard, as a list of [name, data]. Byte streams are taken, and counted."""
import json
import os
import sys
import urllib.parse

query = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"]))
policy = query.get("csp", "")
sys.stdout.write("Content-Type: text/html; charset=utf-8\n")
if policy:
    sys.stdout.write(f"Content-Security-Policy: {policy}\n")
sys.stdout.write(
    f"""
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>parts</title>
<script {query.get("script", 'src="/.httpsocket/client.js"')}></script>
<main>{query.get("body", '<button id="b">press</button><p id="p"></p>')}</main>
"""
)
sys.stdout.flush()
os.close(1)


def say(line):
    os.write(3, f"{line}\n".encode())


heard = []
with open(3, "rb", closefd=False) as events:
    for line in events:
        head, _, body = line.decode().rstrip("\n").partition(" ")
        name, _, call = head.partition("?")
        if name == "tell":
            os.write(3, "".join(f"{line}\n" for line in json.loads(body)).encode())
        elif name == "heard":
            say(f"={call} {json.dumps(heard)}")
        elif name == ".stream":
            say(".accept " + json.dumps({"id": json.loads(body)["id"]}))
        elif name.startswith(".stream/"):
            size = int(body[1:])
            heard.append(["bytes", len(events.read(size + 1)) - 1])
        elif name == ".end":
            say(".end " + json.dumps({"id": json.loads(body)["id"]}))
        elif not name.startswith(".") or name == ".problem":
            heard.append([name, json.loads(body or "null")])
