# SPDX-License-Identifier: MIT
"""session.py - the client's side of docs/protocol.md on one connection."""
import base64
import json
import os

from line import Line
from websocket import BINARY, TEXT, Messages, frame, handshake

ORIGIN = "http://a.test:8000"
HOST = "a.test:8000"
PARTS = (b"\x10", b"\x11", b"\x12")  # more follow; the last, text; the last, binary
COMMANDS = (".dom ", ".listen ", ".unlisten ")
COMMANDS_OF_STATE = (b".saved?", b".restored")


class Refused(Exception):
    """The handshake was answered by HTTP."""

    def __init__(self, status, fields):
        super().__init__(f"HTTP {status} {fields.get('script-access-reason', '')}")
        self.status = status


def new_key():
    return base64.urlsafe_b64encode(os.urandom(18)).decode()


async def switch(line, path, offered=None, origin=ORIGIN, host=HOST, fields=()):
    """A handshake; the frames that follow."""
    await line.send(handshake(path, host, origin, offered, fields))
    status, found, _ = await line.head()
    if status != 101:
        raise Refused(status, found)
    return Messages(line)


class Attached:
    """A connection of a session that has had its `.welcome`."""

    def __init__(self, line, messages, welcome):
        self.line, self.messages, self.welcome = line, messages, welcome
        self.parts = []

    async def text(self, text):
        await self.line.send(frame(TEXT, text))

    async def binary(self, data):
        await self.line.send(frame(BINARY, data))

    async def next(self):
        """(is_sequenced, is_text, bytes); pings are answered."""
        while True:
            is_text, data = await self.messages.next()
            if is_text and data == b".ping":
                await self.text(".pong")
            elif is_text:
                control = data[:1] == b"." and not data.startswith(
                    tuple(word.encode() for word in COMMANDS)
                )
                return not control, True, data
            elif data[:1] in PARTS:
                self.parts.append(data[1:])
                if data[:1] != PARTS[0]:
                    whole, self.parts = b"".join(self.parts), []
                    return True, data[:1] == PARTS[1], whole
            else:
                return data[:1] >= b" " and not data.startswith(COMMANDS_OF_STATE), False, data


async def attach(
    server, path, chance, plan, key, session=None, received=0, source=None, origin=ORIGIN, also=()
):
    """Opens a line by `plan`, connects the session, and waits for `.welcome`.

    On any failure the line ends as the plan says; `Broken`, `Refused` or `Closed` tells why.
    """
    line = await Line.open(server, chance, plan, source)
    try:
        offered = ["httpsocket.v1", f"key.{key}", *also]
        if chance.percent(50):
            offered.append("parts")
        if session:
            offered += [f"session.{session}", f"received.{received}"]
        messages = await switch(line, path, offered, origin)
        while True:
            is_text, data = await messages.next()
            if is_text and data.startswith(b".welcome "):
                return Attached(line, messages, json.loads(data[9:]))
    except BaseException:
        line.reset()
        raise
