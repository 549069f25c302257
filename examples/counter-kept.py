#!/usr/bin/env python3
"""A counter that survives: end its process, or the server, and it goes on from where it was. What
outlives the process is `page.state`.
"""
import os

from httpsocket import page

page.state = {"count": 0}


def show():
    page.dom(
        {"select": "#count", "text": str(page.state["count"])},
        {"select": "#process", "text": f"process {os.getpid()}"},
    )


@page.listen("click", "#more", as_="more")
def more(event):
    page.state["count"] += 1
    show()


@page.restored
def restored(told):
    show()
    page.dom(select="#why", text=f"The process before this one is gone: {told['why']}.")


page.show(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A counter that survives</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<h1>A counter that survives</h1>
<p><button id="more">One more</button> <b id="count">0</b></p>
<p class="soft">It is kept by <b id="process">process %d</b>. End that, or the server, by
  <code>kill -9</code>, and go on counting. <span id="why"></span></p>
"""
    % os.getpid()
)
page.run()
