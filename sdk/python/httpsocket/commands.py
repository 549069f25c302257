"""What a program tells its page and the server, in all forms of a page: each of them brings _post()."""
from __future__ import annotations

import itertools
from typing import Any

from .wire import NOTHING, checked_name


class Commands:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def _post(self, head: str, data: Any = NOTHING) -> Any:
        raise NotImplementedError

    def _new_call(self) -> int:
        return next(self._numbers)

    def send(self, name: str, data: Any = NOTHING) -> Any:
        """An event for the page: JSON, or bytes as bytes. What JSON has no way to say raises at once, and nothing is sent."""
        return self._post(checked_name(name), data)

    def close(self, reason: str = "") -> Any:
        """The session is over; the page is told why."""
        return self._post(".close", {"reason": reason} if reason else NOTHING)
