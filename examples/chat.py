#!/usr/bin/env python3
"""A chat: one process for all its pages, and the rooms are its variables. http://localhost:8080/chat/kitchen is a room, and so is any other path below."""
import json
import socket

PAGE = """Content-Type: text/html; charset=utf-8
Content-Security-Policy: default-src 'self'

<!doctype html>
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
<form><input name="text" placeholder="Say something" autocomplete="off" autofocus maxlength="500"></form>
"""
KEPT = 50

fd = socket.socket(fileno=3)
rooms = {}  # name: {"here": {session}, "lines": [text]}
room_of = {}


def send(session, name, *data):
    text = "".join(" " + json.dumps(value) for value in data)
    fd.sendall(f"@{session} {name}{text}\n".encode())


def to_all(room, name, data):
    for session in room["here"]:
        send(session, name, data)


def join(session, request):
    if request["method"] not in ("GET", "HEAD"):
        send(session, ".answer", "Status: 405 Method Not Allowed\nContent-Type: text/plain\n\nonly GET\n")
    elif request["page"]:
        send(session, ".answer", PAGE)
    send(session, ".answer")
    room_of[session] = rooms.setdefault(request["pathInfo"] or "/", {"here": set(), "lines": []})


def attach(session, resumed):
    room = room_of[session]
    room["here"].add(session)
    if not resumed:
        send(session, "history", room["lines"])
    to_all(room, "here", len(room["here"]))


def leave(session):
    room = room_of.pop(session, None)
    if room and session in room["here"]:
        room["here"].discard(session)
        to_all(room, "here", len(room["here"]))


def say(session, text):
    room = room_of[session]
    if isinstance(text, str) and text.strip():
        line = text.strip()[:500]
        room["lines"] = [*room["lines"], line][-KEPT:]
        to_all(room, "said", line)


fd.sendall(b".shared\n")
for line in fd.makefile(encoding="utf-8", newline="\n"):
    session, name, data = (line[1:].rstrip("\n").split(" ", 2) + ["null"])[:3]
    value = json.loads(data) if data[:1] != "@" else None
    if name == ".join":
        join(session, value)
    elif name == ".attach":
        attach(session, value["resumed"])
    elif name == ".leave":
        leave(session)
    elif name == "say":
        say(session, value)
