#!/usr/bin/env python3
"""A page of which the second half comes when the page asks for it by `rest`. By then the program
has moved elements of both halves, and sent an event. The page keeps what it is told in
window.told."""
import os

HEAD = """Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>parsed</title>
<script src="/.httpsocket/client.js"></script>
<script>
  window.told = [];
  for (const name of ['moved', 'problem'])
    document.serverConnection.addEventListener(name, ({ data }) => {
      const late = document.querySelector('#late');
      window.told.push([name, data?.message ?? '', late?.textContent ?? '']);
    });
</script>
<p id="early">early</p>
"""
LINES = """.dom [{"title":"waits"},{"select":"#late","text":"moved"}]
.dom {"select":"#early","text":"after"}
.dom {"select":"#late","append":"<b>again</b>"}
moved
.dom {"select":"#never","text":"x"}
moved
"""
os.write(1, HEAD.encode())
os.write(3, LINES.encode())
with open(3, "rb", closefd=False) as events:
    for line in events:
        if line.startswith(b"rest"):
            os.write(1, b'<p id="late">late</p>\n' + b"<i></i>" * 1000)
        elif line.startswith(b"end"):
            os.close(1)
        elif line.startswith(b".problem "):
            os.write(3, b"problem " + line[9:])
