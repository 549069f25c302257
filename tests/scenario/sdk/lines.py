#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rows of tests/vectors/lines.json, by the Python helper.

JSON on stdin says which, and JSON on stdout what came of them.
"""
import base64
import json
import sys

from httpsocket import page
from httpsocket.wire import NOTHING, ProtocolError, Reader, line


def told(message):
    data = message.data
    fields = {name: getattr(message, name) for name in ("kind", "name", "call", "bare", "session")}
    fields["problem"] = bool(message.problem)
    if isinstance(data, bytes):
        return {**fields, "bytes": base64.b64encode(data).decode()}
    return {**fields, "data": data}


def read(pieces):
    reader, messages = Reader(), []
    try:
        for piece in pieces:
            messages += reader.feed(piece)
    except ProtocolError:
        return ["broken"]
    return [told(message) for message in messages]


def say(head, text=None, binary=None):
    data = base64.b64decode(binary) if binary is not None else NOTHING
    return base64.b64encode(line(head, data if text is None else json.loads(text))).decode()


def refuses(name):
    try:
        page.send(name, 1)
    except ValueError:
        return True
    return False


asked = json.load(sys.stdin)
lines = [base64.b64decode(text) for text in asked["read"]]
answer = {
    "read": [read([whole]) for whole in lines],
    "split": [read([bytes([byte]) for byte in whole]) for whole in lines],
    "said": [say(row["head"], row.get("json"), row.get("bytes")) for row in asked["say"]],
    "refused": [refuses(name) for name in asked["names"]],
}
json.dump(answer, sys.stdout)
