# SPDX-License-Identifier: MIT
"""Byte streams between a page and its program (docs/page-programs/streams.md): files and whatever
else is too large for an event.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .wire import NOTHING, Message


class StreamReset(ConnectionError):
    """The page, or the server, has given the stream up; `reason` is a token."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.reason: str = data.get("reason", "")
        super().__init__(data.get("message") or self.reason)


class OpenStream:
    """One stream, as what is said of it: `name` and `data` are the page's.
    Reading or writing accepts it.
    """

    def __init__(self, post: Callable[..., Any], opened: dict[str, Any]) -> None:
        self._post = post
        self.id: int = opened["id"]
        self.name: str = opened["name"]
        self.data: Any = opened.get("data")
        self._accepted = self._ended = self._over = False

    def accept(self, data: Any = NOTHING) -> Any:
        """Lets it begin; `data` may say more to the page."""
        self._accepted = True
        return self._post(".accept", {"id": self.id, **({} if data is NOTHING else {"data": data})})

    def write(self, data: bytes | bytearray | memoryview) -> Any:
        """The next bytes for the page."""
        if not self._accepted:
            self.accept()
        return self._post(f".stream/{self.id}", bytes(data))

    def end(self) -> Any:
        """Nothing more is written."""
        self._ended = True
        return self._post(".end", {"id": self.id})

    def reset(self, reason: str = "refused", message: str = "") -> Any:
        """It is over at once, both ways; before accept(): it is refused."""
        self._over = True
        return self._post(
            ".reset", {"id": self.id, "reason": reason, **({"message": message} if message else {})}
        )

    def _finish(self) -> None:
        """Its function has returned."""
        if self._over:
            return
        if not self._accepted:
            self.reset()
        elif not self._ended:
            self.end()

    def _heard(self, message: Message) -> bytes | None:
        """What a line of it says: bytes, or None for the end."""
        if message.name == ".reset":
            self._over = True
            raise StreamReset(message.data)
        return None if message.name == ".end" else message.data


def stream_of(message: Message) -> int | None:
    """The stream that a line is about, beyond its opening."""
    if message.name.startswith(".stream/"):
        return int(message.name[8:])
    return message.data["id"] if message.name in (".end", ".reset") else None
