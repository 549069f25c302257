#!/usr/bin/env python3
"""A click without a script in the page: the program hears the click itself, and answers by changing
the page.
"""
import os

from httpsocket import page

PAGE = (
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>A button</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<h1>A button, and no script</h1>
<p>This page was made by process <b>%d</b>, which hears the button below and writes the answer
  beside it.</p>
<p><button id="test">Where do you live?</button>
  <span id="answer" class="soft">not asked yet</span></p>
"""
    % os.getpid()
)

clicks = 0


@page.listen("click", "#test")
def test_click(event):
    global clicks
    clicks += 1
    page.dom(select="#answer", text=f"Frode Børli lives in Oslo (asked {clicks} times)")


page.show(PAGE)
page.run()
