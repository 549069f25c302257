#!/usr/bin/env python3
"""Events in both directions, in Python: the page sends one for each click, and the program that
made the page answers.
"""
import os

from httpsocket import page

PAGE = (
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Hello from Python</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Hello from Python</h1>
<p>This page was made by process <b>%d</b>, which is still there.</p>
<p><button id="test">Where do you live?</button>
  <span id="answer" class="soft">not asked yet</span></p>
<script>
  const server = document.serverConnection;
  document.querySelector('#test').onclick = () =>
    server.send('test_click', { name: 'Frode Børli' });
  server.onwhatever = (message) => {
    document.querySelector('#answer').textContent =
      `${message.name} lives in ${message.city} (asked ${message.clicks} times)`;
  };
</script>
"""
    % os.getpid()
)

clicks = 0  # a variable of the program is the whole state


@page.on("test_click")
def test_click(who):
    global clicks
    clicks += 1
    page.send("whatever", {"name": who["name"], "city": "Oslo", "clicks": clicks})


page.show(PAGE)
page.run()
