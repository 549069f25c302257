#!/usr/bin/env python3
"""A page with a form whose program writes on its stderr whatever it hears, with its pid: `heard PID
NAME JSON`. ?late=SECONDS listens so much later than its page; ?listens=[{…},…] are its listeners,
?body= is what its page has. It answers the calls `pid`, `heard` ([[name, data]]) and `tell` (lines
to write)."""
import json
import os
import sys
import time
import urllib.parse

query = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"]))
sys.stdout.write(
    f"""Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'; \
style-src 'unsafe-inline'

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>notes</title>
<script src="/.httpsocket/client.js"{' defer' if 'defer' in query else ''}></script>
{query.get("body", '<input id="a" name="a"><a id="away" href="/other.html">away</a>')}
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
        if name == ".attach" and not json.loads(body)["resumed"]:
            time.sleep(float(query.get("late", 0)))
            for listen in json.loads(query.get("listens", "[]")):
                say(f".listen {json.dumps(listen)}")
            say("listens")
        elif name == "pid":
            say(f"={call} {os.getpid()}")
        elif name == "heard":
            say(f"={call} {json.dumps(heard)}")
        elif name == "tell":
            os.write(3, ("".join(f"{line}\n" for line in json.loads(body)) + f"={call}\n").encode())
        else:
            heard.append([name, json.loads(body or "null")])
            print("heard", os.getpid(), line.decode().strip(), file=sys.stderr, flush=True)
