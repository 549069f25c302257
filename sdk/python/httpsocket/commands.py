# SPDX-License-Identifier: MIT
"""What a program tells its page and the server, in all forms of a page:
each of them brings _post().
"""
from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from .handlers import Function, Handlers
from .topics import TopicCommands
from .wire import NOTHING, checked_name


class Listener:
    """What listen() began. As a decorator it takes the function that hears the events."""

    def __init__(self, page: Commands, handlers: Handlers, name: str) -> None:
        self._page, self._handlers, self.name = page, handlers, name

    def __call__(self, function: Function) -> Function:
        return self._handlers.on(self.name)(function)

    def stop(self) -> Any:
        return self._page.unlisten(as_=self.name)


class Commands(TopicCommands):
    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def _new_call(self) -> int:
        return next(self._numbers)

    def send(self, name: str, data: Any = NOTHING) -> Any:
        """An event for the page: JSON, or bytes as bytes. What JSON has no way to say raises at
        once, and nothing is sent.
        """
        return self._post(checked_name(name), data)

    def close(self, reason: str = "") -> Any:
        """The session is over; the page is told why."""
        return self._post(".close", {"reason": reason} if reason else NOTHING)

    # ---- the page's document ----

    def listen(
        self,
        on: str | Iterable[str],
        select: str | None = None,
        *,
        as_: str | None = None,
        target: str | None = None,
        fields: Iterable[str] | None = None,
        files: str | None = None,
        keys: str | Iterable[str] | None = None,
        modifiers: str | Iterable[str] | None = None,
        margin: str | None = None,
        threshold: float | None = None,
        prevent: bool = False,
        stop: bool = False,
        once: bool = False,
        passive: bool = False,
        capture: bool = False,
        coalesce: bool = False,
        busy: bool = False,
        throttle: int | None = None,
        debounce: int | None = None,
        max_age: int | None = None,
    ) -> Listener:
        """Hears these events of the page's document, from elements that match
        `select`; times are milliseconds.

        As a decorator: `@page.listen("click", "#test")`. They come as events of the
        name `as_`, or of one that is made up. With `files="stream"` files come as
        byte streams of that name: on_stream().
        """
        name = (
            as_
            or f"{on if isinstance(on, str) and on.isalnum() else 'heard'}:{next(self._numbers)}"
        )
        options = {
            "on": on if isinstance(on, str) else list(on),
            "as": checked_name(name),
            "select": select,
            "target": target,
            "fields": fields and list(fields),
            "files": files,
            "keys": keys if keys is None or isinstance(keys, str) else list(keys),
            "modifiers": (
                modifiers if modifiers is None or isinstance(modifiers, str) else list(modifiers)
            ),
            "margin": margin,
            "threshold": threshold,
            "throttle": throttle,
            "debounce": debounce,
            "maxAge": max_age,
            "prevent": prevent,
            "stop": stop,
            "once": once,
            "passive": passive,
            "capture": capture,
            "coalesce": coalesce,
            "busy": busy,
        }
        self._post(
            ".listen",
            {
                key: value
                for key, value in options.items()
                if value is not None and value is not False
            },
        )
        return Listener(self, self._functions(), name)

    def unlisten(
        self,
        on: str | Iterable[str] | None = None,
        select: str | None = None,
        *,
        as_: str | None = None,
        target: str | None = None,
    ) -> Any:
        """No more of what listen() began and all of this fits."""
        options = {
            "on": on if on is None or isinstance(on, str) else list(on),
            "as": as_,
            "select": select,
            "target": target,
        }
        return self._post(
            ".unlisten", {key: value for key, value in options.items() if value is not None}
        )

    def dom(self, *operations: dict[str, Any], **operation: Any) -> Any:
        """Changes the page's document, all in one frame: `dom(select="#n",
        text="5")`, or several operations as dicts.
        """
        every = [*operations, *([operation] if operation else [])]
        return self._post(".dom", every[0] if len(every) == 1 else every)

    def problem(self, function: Function) -> Function:
        """Decorates what hears that the page could not do what listen() or
        dom() said: {"command", "message", …}.
        """
        return self._functions()._system(".problem")(function)

    # ---- TCPConnections of the page ----

    def refuse_tcp(self, retry: int | None = None) -> Any:
        """The page's TCPConnections are refused, all of them."""
        return self._post(
            ".tcp", {"allow": False, **({} if retry is None else {"retryAfter": retry})}
        )

    def consent_tcp(
        self, function: Callable[[dict[str, Any]], bool | int]
    ) -> Callable[[dict[str, Any]], bool | int]:
        """Decorates what is asked for each TCPConnection of the page that DNS allows: it gets
        {"host", "port", "secure"}.

        It returns whether it may be; a number refuses for so many seconds.
        """

        def asked(target: dict[str, Any]) -> Any:
            verdict = function(target)
            allowed = verdict is True
            retry = {} if isinstance(verdict, bool) else {"retryAfter": int(verdict)}
            return self._post(".tcp", {"id": target["id"], "allow": allowed, **retry})

        self._functions()._system(".tcp")(asked)
        self._post(".tcp", {"ask": True})
        return function
