#!/usr/bin/env python3
"""A page that is moved. The page calls `move` with what `.dom` takes, and is answered when that has
been written; what the page could not do comes back to it as events `problem`. Its policy is the
strictest under which it can work; ?policy=… adds to it, ?policy=none is none. It can also be
connected to without a page."""
import os
import sys
import urllib.parse

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>moved</title>
<script src="/.httpsocket/client.js"></script>
<main id="main"></main>
"""
more = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"])).get("policy", "")
policy = (
    f"Content-Security-Policy: default-src 'none'; script-src 'self'; connect-src 'self'{more}\n"
)
sys.stdout.write(
    f"Content-Type: text/html; charset=utf-8\n{'' if more == 'none' else policy}\n{PAGE}"
)
sys.stdout.flush()
os.close(1)

with open(3, encoding="utf-8", newline="\n") as events, open(
    3, "w", encoding="utf-8", newline="\n", buffering=1, closefd=False
) as page:
    for line in events:
        head, _, body = line.rstrip("\n").partition(" ")
        name, _, call = head.partition("?")
        if name == "move":
            page.write(f".dom {body}\n={call}\n")
        elif name == ".problem":
            page.write(f"problem {body}\n")
