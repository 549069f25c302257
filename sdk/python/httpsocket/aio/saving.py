# SPDX-License-Identifier: MIT
"""The state of one page under asyncio: saved at the end of each function, and when a task of the
program's own has used it. While the server takes no more, the newest state waits, and no other.
"""
from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from ..state import State
from ..wire import Message
from .connection import Connection, Ended

#: The number of the message whose function runs.
HEARD: contextvars.ContextVar[int] = contextvars.ContextVar("heard", default=0)


class Saving:
    _over: bool  # the session is

    def __init__(self, connection: Connection, lead: str, restoring: bool) -> None:
        self._connection, self._lead = connection, lead
        self._state = State(restoring)
        self._soon: asyncio.Handle | None = None
        self._later: asyncio.Task[None] | None = None

    @property
    def state(self) -> Any:
        """What outlives the process: JSON, at first `{}`. It is saved when it has changed, after
        each function, and is there again before the functions of the next process run.
        """
        self._state.used = True
        self._save_soon()
        return self._state.value

    @state.setter
    def state(self, value: Any) -> None:
        self._state.replace(value)
        self._save_soon()

    @property
    def resent(self) -> bool:
        """What is being heard may have been seen by a process before this one."""
        return self._state.is_resent(HEARD.get())

    def save(self) -> None:
        """Saves the state now, if it has changed: in the midst of a long function."""
        if self._soon:
            self._soon.cancel()
        self._soon = None
        if not self._state.used or self._over or self._connection.at_end:
            return
        if self._connection.is_behind():
            if not self._later:
                self._later = asyncio.get_running_loop().create_task(self._save_later())
        elif lines := self._state.lines(self._lead):
            self._connection.post(lines)

    async def _save_later(self) -> None:
        try:
            await self._connection.drain()
        except Ended:
            return
        finally:
            self._later = None
        self.save()

    def _save_soon(self) -> None:
        """A task of the program's own has the state. A function saves at its end."""
        if self._soon or not self._state.used or not self._state.is_done(HEARD.get()):
            return
        try:
            self._soon = asyncio.get_running_loop().call_soon(self.save)
        except RuntimeError:  # there is no loop yet, or it is of another thread: at the next turn
            pass

    def _done_with(self, message: Message) -> None:
        if message.number:
            self._state.done(message.number)
        self.save()
