#!/usr/bin/env python3
"""A chat: one process has all pages, and the rooms are its variables.
http://localhost:8080/chat/kitchen is a room, and so is any other path below /chat.
"""
import asyncio

from httpsocket.aio import Pages

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Chat</title>
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="/style.css">
<script src="/.httpsocket/client.js"></script>
<script src="/link.js"></script>
<script src="/chat.js" defer></script>
<h1>Chat</h1>
<p class="soft"><span id="here">0</span> here</p>
<div id="lines"></div>
<form><input name="text" placeholder="Say something" autocomplete="off" autofocus
  maxlength="500"></form>
"""
KEPT = 50


class Room:
    def __init__(self):
        self.here = set()  # pages
        self.lines = []

    def send(self, name, data):
        for page in self.here:
            page.send(name, data)


pages = Pages()
rooms = {}  # by name


@pages.page
def make(page):
    if page.request.method not in ("GET", "HEAD"):
        page.refuse(405, "only GET")
    page.room = rooms.setdefault(page.request.path_info or "/", Room())
    page.show(PAGE, headers={"Content-Security-Policy": "default-src 'self'"})


@pages.attached
def attached(page, info):
    page.room.here.add(page)
    if not info["resumed"]:
        page.send("history", page.room.lines)
    page.room.send("here", len(page.room.here))


@pages.left
def left(page):
    if room := getattr(page, "room", None):
        room.here.discard(page)
        room.send("here", len(room.here))


@pages.on("say")
def say(page, text):
    if isinstance(text, str) and text.strip():
        line = text.strip()[:500]
        page.room.lines = [*page.room.lines, line][-KEPT:]
        page.room.send("said", line)


asyncio.run(pages.run())
