# SPDX-License-Identifier: MIT
"""Descriptor 3 under asyncio: lines in, lines out, and who waits when one side is slower."""
from __future__ import annotations

import asyncio
import collections
import signal
import socket
import sys
from collections.abc import Callable

from ..wire import Message, Reader

READ_AHEAD = 1024 * 1024  # bytes not heard yet; beyond that the page waits
READ_AHEAD_CALLING = 16 * READ_AHEAD  # the same while an answer is waited for
OUT_MAX = 64 * 1024 * 1024  # bytes that were sent without waiting


class Ended(ConnectionError):
    """The session is over."""


class Connection:
    """Belongs to the loop that connects it. `sort` is called with each
    message, and with None at the end.
    """

    def __init__(self, fd: int, sort: Callable[[Message | None], None]) -> None:
        self._fd, self._sort = fd, sort
        self._early: list[bytes] = []  # sent before there was a loop
        self._writer: asyncio.StreamWriter | None = None
        self._unheard = 0  # bytes
        self._calls = 0  # that wait for an answer
        self.at_end = self.terminated = False

    async def connect(self) -> None:
        if self._writer:
            return
        if self._fd < 0:
            sys.exit(
                "httpsocket: there is no page to talk with: this program is to be started by httpsocketd"
            )
        self._draining, self._room = asyncio.Lock(), asyncio.Event()
        reader, self._writer = await asyncio.open_unix_connection(
            sock=socket.socket(fileno=self._fd)
        )
        self._writer.transport.set_write_buffer_limits(
            0
        )  # who waits, waits until the server has it
        for early in self._early:
            self._writer.write(early)
        self._early.clear()
        self._end_on_sigterm()
        self._note_room()
        self._read_task = asyncio.get_running_loop().create_task(self._read_all(reader))

    def post(self, line: bytes) -> None:
        if self.at_end:
            return
        if not self._writer:
            self._early.append(line)
        elif self._writer.transport.get_write_buffer_size() > OUT_MAX:
            raise BufferError(f"{OUT_MAX} bytes wait for the page: await what send() gives")
        else:
            self._writer.write(line)

    def is_behind(self) -> bool:
        """The server has not taken all yet."""
        return self._writer is not None and self._writer.transport.get_write_buffer_size() > 0

    async def drain(self) -> None:
        await self.connect()
        if self.at_end:
            raise Ended
        assert self._writer
        try:
            async with self._draining:
                await self._writer.drain()
        except ConnectionError:
            raise Ended from None

    # ---- who reads ahead how far ----

    def note_unheard(self, size: int) -> None:
        """So many bytes are queued for functions; negative: they have been heard."""
        self._unheard += size
        self._note_room()

    def note_call(self, more: int) -> None:
        self._calls += more
        self._note_room()

    def _note_room(self) -> None:
        """Reading stops where the functions are slow, but goes further while
        one of them waits for an answer.
        """
        if not self._writer:
            return
        if self._unheard < (READ_AHEAD_CALLING if self._calls else READ_AHEAD):
            self._room.set()
        else:
            self._room.clear()

    async def _read_all(self, stream: asyncio.StreamReader) -> None:
        lines = Reader()
        try:
            while True:
                await self._room.wait()
                data = await stream.read(65536)
                if not data:
                    return
                for message in lines.feed(data):
                    self._sort(message)
        except ConnectionError:
            pass
        finally:
            self.at_end = True
            self._sort(None)

    def _end_on_sigterm(self) -> None:
        task = asyncio.current_task()

        def end() -> None:
            self.terminated = True
            if task:
                task.cancel()

        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        except (ValueError, RuntimeError):  # another thread than the main one
            pass


class Inbox:
    """What one page has sent and nobody has heard yet, in order; None ends it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._messages: collections.deque[Message | None] = collections.deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, message: Message | None) -> None:
        self._messages.append(message)
        if message:
            self._connection.note_unheard(message.size)
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def forget(self) -> None:
        """What nobody will hear any more."""
        self._connection.note_unheard(-sum(message.size for message in self._messages if message))
        self._messages.clear()

    async def next(self) -> Message | None:
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self._messages[0] is None:
            return None
        message = self._messages.popleft()
        assert message
        self._connection.note_unheard(-message.size)
        return message
