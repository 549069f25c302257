# SPDX-License-Identifier: MIT
"""The lines of descriptor 3 (docs/page-programs/descriptor-3.md), as
values: no descriptor and no clock in here.

A line is `NAME JSON`, or `NAME @LEN`, LEN bytes and LF; NAME is followed by `?CALL` where an answer
is wanted. Answers begin with `=`, `+` (more follow) or `!` (it failed), the server's own lines with
a dot, and those of a shared program with `@SESSION `.
"""
from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

NAME = re.compile(r"[A-Za-z0-9_\-:/][A-Za-z0-9_\-:/.]{0,127}")
BYTES = (bytes, bytearray, memoryview)
NOTHING: Any = object()  # "no data", where None would be JSON's null

CALL_MAX = 2**53 - 1

_NUMBER = rb"(0|[1-9]\d{0,15})"
_NAME = NAME.pattern.encode()
_HEAD = re.compile(
    rb"(?:@([A-Za-z0-9_-]{1,64}) )?"
    rb"(?:([=+!])%b|(\.%b)|(%b)(?:\?%b)?)(?: |\Z)" % (_NUMBER, _NAME, _NAME, _NUMBER)
)
_LENGTH = re.compile(rb"@%b" % _NUMBER)
_KINDS = {b"=": "answer", b"+": "part", b"!": "failure"}


class ProtocolError(Exception):
    """What came on descriptor 3 is no line of the server's."""


class Message(NamedTuple):
    """One message. `problem` says why its JSON can't be had in Python, and is empty otherwise."""

    kind: str  # event, call, answer, part, failure, system
    name: str  # of event, call and system (with its dot)
    call: int  # the number of a call and of its answers
    data: Any  # what JSON says, or bytes
    bare: bool = False  # there was no data; it counts as null
    session: str = ""  # which page of a shared program
    problem: str = ""
    size: int = 0  # of its line and its bytes
    number: int = 0  # among the events, calls and answers of its page; 0: it is the server's


def checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(
            f"not a name: {name!r} (1 to 128 of A-Z a-z 0-9 _ - : / . not beginning with a dot)"
        )
    return name


def dumps(value: Any) -> bytes:
    """JSON on one line; what it has no way to say raises ValueError or TypeError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def line(head: str, data: Any = NOTHING) -> bytes:
    """A whole message: bytes as bytes, everything else as JSON."""
    if data is NOTHING:
        return head.encode() + b"\n"
    if isinstance(data, BYTES):
        body = bytes(data)
        return b"%s @%d\n%s\n" % (head.encode(), len(body), body)
    return b"%s %s\n" % (head.encode(), dumps(data))


class Reader:
    """Bytes in, messages out; keeps what is not whole yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # no LF before here
        self._head: re.Match[bytes] | None = None  # of a message whose bytes are awaited
        self._wanted = 0

    def feed(self, data: bytes) -> list[Message]:
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> Message | None:
        if self._head:
            return self._bytes()
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            return None
        self._searched = 0
        text = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        head = _HEAD.match(text)
        if not head or int(head[3] or head[6] or 0) > CALL_MAX:
            raise ProtocolError(f"not a line of the server's: {text[:80]!r}")
        body = text[head.end() :]
        if not body.startswith(b"@"):
            return _made(head, *_loaded(body), bare=not body, size=len(text) + 1)
        length = _LENGTH.fullmatch(body)
        if not length:
            raise ProtocolError(f"not a length of bytes: {text[:80]!r}")
        self._head, self._wanted = head, int(length[1])
        return self._bytes()

    def _bytes(self) -> Message | None:
        if len(self._buffer) <= self._wanted:
            return None
        assert self._head
        if self._buffer[self._wanted] != 0x0A:
            raise ProtocolError(f"bytes that do not end where their length says: {self._head[0]!r}")
        data = bytes(self._buffer[: self._wanted])
        del self._buffer[: self._wanted + 1]
        head, self._head = self._head, None
        return _made(head, data, "", bare=False, size=head.end() + len(data))


def _loaded(body: bytes) -> tuple[Any, str]:
    try:
        return (json.loads(body) if body else None), ""
    except (
        ValueError,
        RecursionError,
    ) as error:  # such as a number of more digits than int() takes
        return None, str(error)


def _made(head: re.Match[bytes], data: Any, problem: str, bare: bool, size: int) -> Message:
    session, sign, answered, word, name, call = head.groups()
    kind = _KINDS[sign] if sign else "system" if word else "call" if call else "event"
    return Message(
        kind,
        (word or name or b"").decode(),
        int(answered or call or 0),
        data,
        bare,
        (session or b"").decode(),
        problem,
        size,
    )
