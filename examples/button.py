#!/usr/bin/env python3
"""The button of 2008 without a script in its page: the program listens to the click itself, and answers by changing the page."""
import json
import os

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A button</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<h1>A button, and no script</h1>
<p>This page was made by process <b>%d</b>, which hears the button below and writes the answer beside it.</p>
<p><button id="test">Where do you live?</button> <span id="answer" class="soft">not asked yet</span></p>
""" % os.getpid()

print("Content-Type: text/html; charset=utf-8\n\n" + PAGE, flush=True)
os.close(1)  # the page is complete; the program stays

clicks = 0
with open(3, encoding="utf-8") as events, open(3, "w", encoding="utf-8", buffering=1, closefd=False) as page:
    page.write('.listen {"on":"click","select":"#test","as":"test_click"}\n')
    for line in events:
        name, _, data = line.partition(" ")
        if name == "test_click":
            clicks += 1
            answer = f"Frode Børli lives in Oslo (asked {clicks} times)"
            page.write(".dom " + json.dumps({"select": "#answer", "text": answer}) + "\n")
