#!/usr/bin/env python3
"""The first page that a newcomer sees: what this is, shown by a page that is itself connected with its program."""
import json
import math
import os
import select
import time

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
  It moves the curve below ten times a second, and hears your mouse: <b id="echo" class="soft">move it over the curve</b>.</p>
<canvas id="wave" width="960" height="180"></canvas>
<p class="soft">Cut the network, close the laptop, change the Wi-Fi: when the link is back, the same process goes on where it was. No event is lost or doubled.</p>

<h2>Try</h2>
<ul class="cards">
  <li><a href="hello.py">Hello, in Python</a><br><span class="soft">a click and its answer: the idea of 2008</span></li>
  <li><a href="hello.php">Hello, in PHP</a><br><span class="soft">the same</span></li>
  <li><a href="hello.sh">Hello, in sh</a><br><span class="soft">the same, without any library at all</span></li>
  <li><a href="button.py">A button, and no script</a><br><span class="soft">the program hears the click itself</span></li>
  <li><a href="signup.py">A form</a><br><span class="soft">checked by the program as you type</span></li>
  <li><a href="machine.py">The machine, live</a><br><span class="soft">load, memory and processes as charts</span></li>
  <li><a href="mines.py">Mines</a><br><span class="soft">a game that is nothing but the program's variables</span></li>
</ul>

<h2>Write your own</h2>
<p>Save this as <code>examples/mine.py</code>, run <code>chmod +x examples/mine.py</code>, and open <a href="mine.py">/mine.py</a>:</p>
<pre>#!/usr/bin/env python3
import os
print('''Content-Type: text/html

&lt;script src="/.httpsocket/client.js"&gt;&lt;/script&gt;
&lt;button onclick="document.serverConnection.send('click')"&gt;Click&lt;/button&gt; &lt;b id="n"&gt;0&lt;/b&gt;
&lt;script&gt;document.serverConnection.oncount = n =&gt; document.querySelector('#n').textContent = n&lt;/script&gt;
''', flush=True)
os.close(1)                             # the page is complete
n = 0
for line in open(3):                    # what the page sends, a line each: a name and JSON
    if line.startswith('click'):
        n += 1
        os.write(3, b'count %%d\\n' %% n)   # what the page gets, likewise
</pre>
<script>
  const server = document.serverConnection;
  const canvas = document.querySelector('#wave');
  server.onwave = (values) => {
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.beginPath();
    values.forEach((v, i) => context.lineTo((i / (values.length - 1)) * canvas.width, (0.5 - v * 0.42) * canvas.height));
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue('--accent');
    context.lineWidth = 3;
    context.stroke();
  };
  canvas.onmousemove = (event) => server.send('mouse', { x: event.offsetX / canvas.offsetWidth });
  server.onheard = (text) => { document.querySelector('#echo').textContent = text; };
</script>
""" % os.getpid()

POINTS = 120
FRAME_SECONDS = 0.1


def wave(now, pitch):
    return [round(math.sin(i / POINTS * 6.3 * pitch + now * 2) * math.sin(i / POINTS * math.pi), 3) for i in range(POINTS)]


def main():
    print("Content-Type: text/html; charset=utf-8\n\n" + PAGE, flush=True)
    os.close(1)
    pitch, heard, rest = 2.0, 0, b""
    while True:
        os.write(3, f"wave {json.dumps(wave(time.monotonic(), pitch))}\n".encode())
        readable, _, _ = select.select([3], [], [], FRAME_SECONDS)
        if not readable:
            continue
        data = os.read(3, 65536)
        if not data:
            return  # end of file: the page is gone for good
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            name, _, body = line.partition(b" ")
            if name == b"mouse":
                heard += 1
                pitch = 1 + 5 * json.loads(body)["x"]
        if heard:
            os.write(3, f"heard {json.dumps(f'{heard} movements heard')}\n".encode())


main()
