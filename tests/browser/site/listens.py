#!/usr/bin/env python3
"""A page that is listened to. It calls `tell` with the lines that the program is to write, and `heard` for what the program has heard
since it was last asked: a list of [name, data]. What happened in the page before it asked has been heard by then. Its policy is
strict; ?connect=… adds a server that it may connect to."""
import json
import os
import sys
import urllib.parse

more = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"])).get("connect", "")
sys.stdout.write(f"""Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; connect-src 'self' {more}

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>listens</title>
<script src="/.httpsocket/client.js"></script>
<main></main>
""")
sys.stdout.flush()
os.close(1)

heard = []
with open(3, encoding="utf-8", newline="\n") as events, open(3, "w", encoding="utf-8", newline="\n", buffering=1, closefd=False) as page:
    for line in events:
        head, _, body = line.rstrip("\n").partition(" ")
        name, _, call = head.partition("?")
        if name == "tell":
            page.write("".join(f"{line}\n" for line in json.loads(body)) + f"={call}\n")
        elif name == "heard":
            page.write(f"={call} {json.dumps(heard)}\n")
            heard.clear()
        elif name not in (".attach", ".detach"):
            heard.append([name, json.loads(body or "null")])
