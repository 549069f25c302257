#!/usr/bin/env python3
"""Files dropped on the page reach its program in pieces, even if the connection drops meanwhile.
The page has no script.
"""
import hashlib
import time

from httpsocket import StreamReset, escape, page

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Files</title>
<link rel="stylesheet" href="style.css">
<style>
  #zone { display: block; border: 2px dashed var(--line); border-radius: 8px; padding: 2rem;
    text-align: center; }
  #files { padding: 0; list-style: none; }
  #files code { overflow-wrap: anywhere; }
</style>
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Files</h1>
<label id="zone">Drop files here, or choose them: <input type="file" multiple></label>
<ul id="files"></ul>
<p class="soft">The program reads each file as it comes and keeps only its hash. Cut the network
  meanwhile: the upload goes on where it was.</p>
"""
SHOWN_EVERY = 0.1  # seconds


@page.listen("dragover", "#zone", prevent=True, throttle=1000, fields=[])
def may_be_dropped(event):
    """A drop is allowed where this is prevented; nothing is to be done."""


@page.listen(["change", "drop"], "#zone", as_="file", files="stream", prevent=True)
def chosen(event):
    for file in event["files"]:
        page.dom(
            select="#files",
            append=f'<li id="file-{file["upload"]}"><b>{escape(file["name"])}</b> '
            f'<progress max="{max(file["size"], 1)}" value="0"></progress> <span>waits</span></li>',
        )


@page.on_stream("file")
def take(stream):
    row, size = f"#file-{stream.data['upload']}", stream.data["size"]
    digest, taken, shown = hashlib.sha256(), 0, 0.0
    try:
        for piece in stream:
            digest.update(piece)
            taken += len(piece)
            if time.monotonic() - shown >= SHOWN_EVERY:
                shown = time.monotonic()
                page.dom(
                    {"select": f"{row} progress", "properties": {"value": taken}},
                    {"select": f"{row} span", "text": f"{taken} of {size} bytes"},
                )
    except StreamReset as why:  # such as a file that was cut meanwhile
        page.dom(select=f"{row} span", text=f"broke off: {why}")
        return
    page.dom(
        {"select": f"{row} progress", "remove": True},
        {
            "select": f"{row} span",
            "html": f"{taken} bytes, SHA-256 <code>{digest.hexdigest()}</code>",
        },
    )


page.show(PAGE)
page.run()
