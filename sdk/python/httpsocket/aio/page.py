# SPDX-License-Identifier: MIT
"""The page of a program of its own, for asyncio."""
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..handlers import Handlers
from ..page import Event, AnsweredPage
from ..wire import Message
from .connection import Connection, Inbox
from .functions import Functions
from .conversation import Conversation
from .saving import HEARD


class Page(AnsweredPage, Functions, Conversation):
    """The page that this program has made. It belongs to the loop that runs it."""

    def __init__(self, fd: int | None = None, environment: Mapping[str, str] = os.environ) -> None:
        AnsweredPage.__init__(self, environment)
        Functions.__init__(self)
        Conversation.__init__(
            self,
            Connection(
                int(environment.get("HTTPSOCKET_FD", "-1")) if fd is None else fd, self._sort
            ),
            restoring=self.is_restored,
        )
        self._inbox = Inbox(self._connection)

    async def run(self) -> None:
        """Calls the decorated functions until the session is over. One that
        raises is reported, and the others go on.
        """
        await self._connection.connect()
        self.save()
        self._start_timers()
        try:
            while (message := await self._inbox.next()) is not None:
                await self._dispatch(self, message)
        except asyncio.CancelledError:
            if not self._connection.terminated:
                raise
        finally:
            await self._finish()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Events and calls for which there is no function, until the session is over."""
        await self._connection.connect()
        self.save()
        self._start_timers()
        while (message := await self._inbox.next()) is not None:
            known = self._calls if message.kind == "call" else self._events
            if message.kind != "system" and message.name not in known and not message.problem:
                HEARD.set(message.number)
                program = asyncio.current_task()
                try:
                    yield Event(self, message, self.resent)
                except GeneratorExit:  # it has left the loop, or has failed in it
                    if not _has_failed(program):
                        self._done_with(message)
                    raise
                self._done_with(message)
            else:
                await self._dispatch(self, message)
        await self._finish()

    def _functions(self) -> Handlers:
        return self

    def _sort(self, message: Message | None) -> None:
        if message is None:
            self._end_talk()
        else:
            message = self._state.numbered(message)
        if message is None or not self._take(message):
            self._inbox.put(message)

    async def _finish(self) -> None:
        self._end_talk()
        await self._end_tasks()


def _has_failed(task: asyncio.Task[Any] | None) -> bool:
    if not task or not task.done():
        return False
    return task.cancelled() or isinstance(task.exception(), Exception)
