#!/usr/bin/env python3
"""A page in which images and forms have names of the document before the client is there. The
program says at once what it has to say."""
import os

NAMES = """activeElement addEventListener baseURI body cookie createElement currentScript
defaultView documentElement head querySelector querySelectorAll readyState serverConnection title
visibilityState""".split()
PAGE = f"""Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>named</title>
<body>
{"".join(f'<img name="{name}"><form name="{name}"></form>' for name in NAMES)}
<script src="/.httpsocket/client.js"></script>
<p id="p">old</p>
"""
os.write(1, PAGE.encode())
os.close(1)
os.write(3, b'.dom {"select":"#p","text":"new"}\n')
with open(3, "rb", closefd=False) as events:
    for line in events:
        pass
