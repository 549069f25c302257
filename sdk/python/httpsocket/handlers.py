# SPDX-License-Identifier: MIT
"""What a program wants to hear: its functions by name. They belong to one page,
or to all pages of a shared program.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from .streams import OpenStream
from .wire import checked_name

Function = TypeVar("Function", bound=Callable[..., Any])

UNHEARD_MAX = 16  # a page can send any name: the log is told of so many


class Failure(Exception):
    """Raised in a function for calls: its text is told to the caller. Of any other exception the
    caller hears no details.
    """

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message)
        self.data = {"message": message, **more}


class Handlers:
    def __init__(self) -> None:
        self._events: dict[str, Callable[..., Any]] = {}
        self._calls: dict[str, Callable[..., Any]] = {}
        self._streams: dict[str, Callable[..., Any]] = {}
        self._hooks: dict[str, Callable[..., Any]] = {}
        self._timers: list[tuple[float, Callable[..., Any]]] = []
        self._topics: dict[
            str, dict[str, Callable[..., Any]]
        ] = {}  # by the server's line, by topic
        self._unheard: set[str] = set()

    def on(self, name: str) -> Callable[[Function], Function]:
        """Decorates what hears the event: it gets its data."""
        return _keeper(self._events, checked_name(name))

    def handle(self, name: str) -> Callable[[Function], Function]:
        """Decorates what answers the call: it gets its data and returns the
        answer; a generator yields several.
        """
        return _keeper(self._calls, checked_name(name))

    def on_stream(self, name: str) -> Callable[[Function], Function]:
        """Decorates what takes a byte stream of the page, such as a file: it gets the stream. When
        it returns the stream ends, when it raises it is reset.
        """
        return _keeper(self._streams, name)

    def attached(self, function: Function) -> Function:
        """Decorates what hears that the page is connected: {"resumed", "origin", "address"}."""
        return _keeper(self._hooks, ".attach")(function)

    def detached(self, function: Function) -> Function:
        """Decorates what hears that the connection is gone and may come back: {"reason"}."""
        return _keeper(self._hooks, ".detach")(function)

    def restored(self, function: Function) -> Function:
        """Decorates what hears, before everything else, that this process goes on for one that is
        gone: `page.state` is what that one had. {"why": "deploy", "crash", "gone" or "changed",
        "resent": how many of the next messages it may have seen}.
        """
        return _keeper(self._hooks, ".restore")(function)

    def ended(self, function: Function) -> Function:
        """Decorates what is called last, without arguments: the session is
        over, and some seconds are left.
        """
        return _keeper(self._hooks, "")(function)

    def every(self, seconds: float) -> Callable[[Function], Function]:
        """Decorates what run() calls at this interval, without arguments, as
        long as the session lasts.
        """
        if not seconds > 0:
            raise ValueError("an interval is longer than nothing")

        def keep(function: Function) -> Function:
            self._timers.append((seconds, function))
            return function

        return keep

    def _system(self, name: str) -> Callable[[Function], Function]:
        return _keeper(self._hooks, name)

    def _refuse_stream(self, stream: OpenStream) -> None:
        self._complain_unheard("stream", stream.name)
        stream.reset(message=f"nothing takes a stream {stream.name}")

    def _of_topic(self, line: str, topic: str, function: Function) -> Function:
        functions = self._topics.setdefault(line, {})
        self._hooks.setdefault(line, _by_topic(functions))
        return _keeper(functions, topic)(function)

    def _forget_topic(self, topic: str) -> None:
        for functions in self._topics.values():
            functions.pop(topic, None)

    def _complain_unheard(self, kind: str, name: str) -> None:
        if name not in self._unheard and len(self._unheard) < UNHEARD_MAX:
            self._unheard.add(name)
            print(f"httpsocket: nothing hears the {kind} {name[:128]} (said once)", file=sys.stderr)


def _keeper(functions: dict[str, Callable[..., Any]], name: str) -> Callable[[Function], Function]:
    def keep(function: Function) -> Function:
        if name in functions:
            raise ValueError(f"there is a function for {name or 'the end'} already")
        functions[name] = function
        return function

    return keep


def _by_topic(functions: dict[str, Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """One function for all topics that hands what comes to the topic's own."""

    def heard(message: dict[str, Any]) -> Any:
        function = functions.get(message["topic"])
        return function(message) if function else None

    return heard
