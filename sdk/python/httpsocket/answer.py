# SPDX-License-Identifier: MIT
"""The answer to a request: header block and body, or a refusal. A program of its own prints it on
stdout, a shared one writes it as lines.

When it is complete stdout leads to stderr, the server's log: a print() that was
left in a program then does no harm.
"""
from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus

HTML = "text/html; charset=utf-8"


class Answer:
    """begin(), write() or print(), end(): once each."""

    def __init__(
        self, direct: bool, put: Callable[[bytes], object], close: Callable[[], object]
    ) -> None:
        self.direct, self._put, self._close = direct, put, close
        self.begun = self.ended = False

    def begin(
        self, type: str = HTML, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        if self.begun:
            raise RuntimeError("the answer has begun already")
        self.begun = True
        if self.direct and status == 200 and not headers:
            self._put(b"\n")  # accepted: no page is wanted
            return
        lines = {
            **({"Status": _status(status)} if status != 200 else {}),
            **({"Content-Type": type} if type else {}),
            **(headers or {}),
        }
        self._put(
            "".join(f"{_clean(name)}: {_clean(value)}\n" for name, value in lines.items()).encode()
            + b"\n"
        )

    def write(self, body: str | bytes) -> None:
        if not self.begun:
            self.begin()
        if not self.direct:
            self._put(body.encode() if isinstance(body, str) else body)

    def end(self) -> None:
        if self.ended:
            return
        if not self.begun:
            self.begin()
        self.ended = True
        self._close()

    def refuse(self, status: int, message: str, realm: str, retry: float | None, path: str) -> None:
        headers = (
            {"WWW-Authenticate": f'Basic realm="{_quoted(realm)}", charset="UTF-8"'}
            if realm
            else {}
        )
        if retry is not None:
            headers["Access-Control-Max-Age" if status == 401 else "Retry-After"] = str(int(retry))
        if path:
            headers["Access-Control-Policy-Path"] = path
        self.begin("text/plain; charset=utf-8", status=status, headers=headers)
        self._put(f"{message or _status(status)}\n".encode())
        self.end()


def put_on_stdout(data: bytes) -> None:
    sys.stdout.flush()  # what was printed before goes before
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def lead_stdout_to_log() -> None:
    sys.stdout.flush()
    os.dup2(2, 1)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} -"


def _clean(text: str) -> str:
    if any(c in text for c in "\r\n\0"):
        raise ValueError(f"a line break in a header: {text!r}")
    return text


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
