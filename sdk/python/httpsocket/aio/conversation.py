# SPDX-License-Identifier: MIT
"""What a page of a program of its own and one of a shared program have in
common: it is sent to, and called.
"""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any

from ..commands import Commands
from ..page import CALL_SECONDS, CallError, only_answer
from ..wire import NOTHING, Message, checked_name, line
from ..streams import OpenStream, stream_of
from .connection import Connection, Ended, Inbox
from .saving import Saving


class Stream(OpenStream):
    """A byte stream of the page: `async for piece in stream`, `await
    stream.write(…)`, `await stream.end()`.
    """

    def __init__(self, conversation: Conversation, opened: dict[str, Any]) -> None:
        super().__init__(conversation._post, opened)
        self._inbox = Inbox(conversation._connection)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """What the page says, until its end. StreamReset; Ended."""
        if not self._accepted:
            self.accept()
        while (message := await self._inbox.next()) is not None:
            if (piece := self._heard(message)) is None:
                return
            yield piece
        raise Ended


class Room:
    """What send() gives: awaiting it waits until the page has room for more."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def __await__(self) -> Generator[Any, None, None]:
        return self._conversation._wait_for_room().__await__()


class Conversation(Commands, Saving):
    def __init__(self, connection: Connection, lead: str = "", restoring: bool = False) -> None:
        Commands.__init__(self)
        Saving.__init__(self, connection, lead, restoring)
        self._over = False
        self._waiting: dict[int, asyncio.Queue[Message | None]] = {}
        self._open_streams: dict[int, Stream] = {}

    async def call(
        self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS
    ) -> Any:
        """The page's answer. CallError: it failed; TimeoutError; Ended."""
        messages = self._ask(name, data, timeout)
        try:
            return only_answer(name, await messages.__anext__())
        finally:
            await messages.aclose()

    async def stream(
        self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS
    ) -> AsyncIterator[Any]:
        """The page's several answers; `timeout` counts from one to the next.
        Leaving the loop gives the call up.
        """
        async for message in self._ask(name, data, timeout):
            if message.kind == "failure":
                raise CallError(message.data)
            if message.kind == "part" or not message.bare:
                yield message.data

    async def _ask(self, name: str, data: Any, timeout: float | None) -> Any:
        await self._connection.connect()
        number = self._new_call()
        answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._waiting[number] = answers
        self._connection.note_call(1)
        try:
            await self._post(f"{checked_name(name)}?{number}", data)
            while True:
                try:
                    message = await asyncio.wait_for(answers.get(), timeout)
                except asyncio.TimeoutError:
                    raise TimeoutError(f"{name}: no answer in {timeout} s") from None
                if message is None:
                    raise Ended
                yield message
                if message.kind != "part":
                    return
        finally:
            del self._waiting[number]
            self._connection.note_call(-1)

    def _take(self, message: Message) -> bool:
        """Whether it was for somebody who waits, and for no function."""
        if message.kind in ("answer", "part", "failure"):
            self._take_answer(message)
            return True
        number = stream_of(message) if message.kind == "system" else None
        if number in self._open_streams:
            self._open_streams[number]._inbox.put(message)
        return number is not None

    def _take_answer(self, message: Message) -> None:
        if (answers := self._waiting.get(message.call)) is not None:
            answers.put_nowait(message)  # one that was given up is passed over

    def _end_talk(self) -> None:
        self._over = True
        for answers in self._waiting.values():
            answers.put_nowait(None)
        for stream in self._open_streams.values():
            stream._inbox.put(None)

    def _post(self, head: str, data: Any = NOTHING) -> Room:
        whole = line(self._lead + head, data)
        if not self._over:
            self._connection.post(whole)
            self._save_soon()
        return Room(self)

    async def _wait_for_room(self) -> None:
        await self._connection.drain()
        if self._over:
            raise Ended
