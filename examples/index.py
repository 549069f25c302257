#!/usr/bin/env python3
"""The first page that a newcomer sees. It shows what HTTPSocket is, and is itself connected with
its program.
"""
import math
import os
import time

from httpsocket import escape, page

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>HTTPSocket</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>This page and the program that made it are still talking</h1>
<p>Process <b>%d</b>, a Python script of a few lines, answered your browser's request, and stayed.
  It moves the curve below ten times a second, and hears your mouse:
  <b id="echo" class="soft">move it over the curve</b>.</p>
<canvas id="wave" width="960" height="180"></canvas>
<p class="soft">Cut the network, close the laptop, change the Wi-Fi: when the connection is back,
  the same process goes on where it was. No event is lost or doubled.</p>

<h2>Try</h2>
<ul class="cards">
  <li><a href="button.py">A button, and no script</a><br>
    <span class="soft">the program hears the click itself</span></li>
  <li><a href="counter-kept.py">A counter that survives</a><br>
    <span class="soft">kill its process, or the server: it goes on counting</span></li>
  <li><a href="hello.py">Hello, in Python</a><br>
    <span class="soft">the page and the program send each other events</span></li>
  <li><a href="hello.php">Hello, in PHP</a><br>
    <span class="soft">events in both directions, by a PHP script</span></li>
  <li><a href="hello.sh">Hello, in sh</a><br>
    <span class="soft">events in both directions, by a shell script</span></li>
  <li><a href="signup.py">A form</a><br>
    <span class="soft">checked by the program as you type</span></li>
  <li><a href="table.py">Ten thousand rows</a><br>
    <span class="soft">sorted and edited; only what changes is sent</span></li>
  <li><a href="board.py">A board</a><br>
    <span class="soft">shared by all who have it open</span></li>
  <li><a href="files.py">Files</a><br>
    <span class="soft">dropped on the page, read by the program</span></li>
  <li><a href="machine.py">The machine, live</a><br>
    <span class="soft">load, memory and processes as charts</span></li>
  <li><a href="chat.py">A chat</a><br>
    <span class="soft">one process for all its pages</span></li>
  <li><a href="mines.py">Mines</a><br>
    <span class="soft">a game whose whole state is the program's variables</span></li>
</ul>

<h2>Write your own</h2>
<p>Save this as <code>examples/mine.py</code>, run <code>chmod +x examples/mine.py</code>, and open
  <a href="mine.py">/mine.py</a>:</p>
<pre>%s</pre>
<script>
  const server = document.serverConnection;
  const canvas = document.querySelector('#wave');
  server.onwave = (values) => {
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.beginPath();
    values.forEach((v, i) => {
      const x = (i / (values.length - 1)) * canvas.width;
      context.lineTo(x, (0.5 - v * 0.42) * canvas.height);
    });
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent');
    context.lineWidth = 3;
    context.stroke();
  };
  canvas.onmousemove = (event) => server.send('mouse', { x: event.offsetX / canvas.offsetWidth });
  server.onheard = (text) => { document.querySelector('#echo').textContent = text; };
</script>
"""

FIRST_PROGRAM = '''#!/usr/bin/env python3
from httpsocket import page

n = 0

@page.listen("click", "#more")              # the program hears the page's own events
def click(event):
    global n
    n += 1
    page.dom(select="#n", text=n)           # and changes the page

page.show("""<!doctype html><title>Mine</title>
<script src="/.httpsocket/client.js"></script>
<button id="more">Click</button> <b id="n">0</b>""")
page.run()
'''

POINTS = 120
FRAME_SECONDS = 0.1


def wave(now, pitch):
    return [
        round(math.sin(i / POINTS * 6.3 * pitch + now * 2) * math.sin(i / POINTS * math.pi), 3)
        for i in range(POINTS)
    ]


pitch, heard = 2.0, 0


@page.on("mouse")
def mouse(data):
    global pitch, heard
    heard += 1
    pitch = 1 + 5 * data["x"]


@page.every(FRAME_SECONDS)
def frame():
    page.send("wave", wave(time.monotonic(), pitch))
    if heard:
        page.send("heard", f"{heard} movements heard")


page.show(PAGE % (os.getpid(), escape(FIRST_PROGRAM)))
page.run()
