#!/usr/bin/env python3
"""The idea of 2008 in Python: the page says what was clicked, the very program that made the page answers."""
import json
import os

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from Python</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Hello from Python</h1>
<p>This page was made by process <b>%d</b>, which is still there.</p>
<p><button id="test">Where do you live?</button> <span id="answer" class="soft">not asked yet</span></p>
<script>
  const server = document.serverConnection;
  document.querySelector('#test').onclick = () => server.send('test_click', { name: 'Frode Børli' });
  server.onwhatever = (message) => {
    document.querySelector('#answer').textContent = `${message.name} lives in ${message.city} (asked ${message.clicks} times)`;
  };
</script>
""" % os.getpid()

print("Content-Type: text/html; charset=utf-8\n\n" + PAGE, flush=True)
os.close(1)  # the page is complete; the program stays

clicks = 0  # a variable of the program is all the state that is needed
with open(3, encoding="utf-8") as events, open(3, "w", encoding="utf-8", buffering=1, closefd=False) as page:
    for line in events:
        name, _, data = line.partition(" ")
        if name == "test_click":
            clicks += 1
            answer = {"name": json.loads(data)["name"], "city": "Oslo", "clicks": clicks}
            page.write(f"whatever {json.dumps(answer)}\n")
