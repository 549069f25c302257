#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages of the storm: each counts what it is told, publishes in a topic, and is there.

`?n=PAGE&t=TOPIC`. A page says `n I` (1, 2, 3 …) and hears `m I`; `pub K` publishes [PAGE, K], and
is done with when that is heard. What the topic tells is passed on: `sub`, `ev`, `pr`, `problem`.
The state is the last I before the first message that is not done with.
"""
import json
import os
import socket
import urllib.parse

PAGE = "Content-Type: text/html; charset=utf-8\n\n<!doctype html>\n<title>storm</title>"
TOLD = {".subscribed": "sub", ".topic": "ev", ".presence": "pr", ".problem": "problem"}

channel = socket.socket(fileno=3)
pages = {}


class Page:
    def __init__(self, name, query):
        fields = urllib.parse.parse_qs(query)
        self.name, self.number, self.topic = name, int(fields["n"][0]), fields["t"][0]
        self.last = self.saved = self.done = 0
        self.open = []  # (name, number) of the messages that no state covers, in their order
        self.heard = set()  # of them: those publications that have been heard

    def says(self, *lines):
        channel.sendall("".join(f"@{self.name} {line}\n" for line in lines).encode())

    def begins(self, join):
        if join["page"]:
            self.says(f".answer {json.dumps(PAGE)}")
        self.says(".answer", ".confirm 0")
        if not join.get("restore"):
            self.lives()
            self.says(".save 0")

    def lives(self):
        what = {"topic": self.topic, "history": 100, "presence": {"n": self.number}}
        self.says(f'here {{"parent":{os.getppid()}}}', f".subscribe {json.dumps(what)}")

    def hears(self, name, data):
        if name in TOLD:
            self.says(f"{TOLD[name]} {data}")
            if name == ".topic":
                self.hears_event(json.loads(data).get("data"))
        elif name == ".restore":
            self.last = self.saved = json.loads(data)["state"]
            self.lives()
        elif not name.startswith("."):
            self.open.append((name, int(data)))
            self.does(name, int(data))
            self.saves()

    def hears_event(self, data):
        if data and data[0] == self.number and ("pub", data[1]) in self.open:
            self.heard.add(data[1])
            self.saves()

    def does(self, name, number):
        if name == "n":
            if number != self.last + 1:
                self.says(f'fault "{number} after {self.last}"')
            self.last = number
            self.says(f"m {number}")
        else:
            what = {"topic": self.topic, "event": "e", "data": [self.number, number]}
            self.says(f".publish {json.dumps(what)}")

    def saves(self):
        before = self.done
        while self.open and (self.open[0][0] == "n" or self.open[0][1] in self.heard):
            name, number = self.open.pop(0)
            self.done += 1
            if name == "n":
                self.saved = number
        if self.done > before:
            self.says(f".save {self.saved}", f".confirm {self.done}")


for line in channel.makefile():
    session, _, rest = line[1:].rstrip("\n").partition(" ")
    head, _, value = rest.partition(" ")
    if head == ".join":
        request = json.loads(value)
        pages[session] = Page(session, request["query"])
        pages[session].begins(request)
    elif head == ".leave":
        pages.pop(session, None)
    elif session in pages:
        pages[session].hears(head, value)
