"""A page and its conversation, for asyncio.

    import asyncio
    from httpsocket.aio import page

    @page.handle("slow")
    async def slow(n):
        await asyncio.sleep(n)
        return "done"

    page.show("<!doctype html>…")
    asyncio.run(page.run())

Functions are plain or coroutines. Events are heard one after the other, in order; calls are begun in order and answered side by
side. send() and its like queue at once; `await page.send(…)` waits while the page is slower than the program.
"""
from __future__ import annotations

import asyncio
import collections
import inspect
import os
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Mapping
from typing import Any

from .commands import Commands
from .handlers import Failure, Handlers
from .page import CALL_SECONDS, QUEUE_MAX, CallError, Event, Shown, only_answer
from .wire import NOTHING, Message, Reader, checked_name, line

READ_AHEAD = 1024 * 1024  # bytes not heard yet; beyond that the page waits
OUT_MAX = 64 * 1024 * 1024  # bytes that were sent without waiting
CALLS_MAX = 1000  # answered side by side

__all__ = ["CallError", "Ended", "Event", "Failure", "Page", "page"]


class Ended(ConnectionError):
    """The session is over."""


class Room:
    """What send() gives: awaiting it waits until the page has room for more."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def __await__(self) -> Generator[Any, None, None]:
        return self._page._drain().__await__()


class Page(Shown, Handlers, Commands):
    """The page that this program has made. It belongs to the loop that runs it."""

    def __init__(self, fd: int | None = None, environment: Mapping[str, str] = os.environ) -> None:
        Shown.__init__(self, environment)
        Handlers.__init__(self)
        Commands.__init__(self)
        self._fd = int(environment.get("HTTPSOCKET_FD", "-1")) if fd is None else fd
        self._early: list[bytes] = []  # sent before there was a loop
        self._writer: asyncio.StreamWriter | None = None
        self._queue: collections.deque[Message] = collections.deque()
        self._queued = 0
        self._at_end = False
        self._waiting: dict[int, asyncio.Queue[Message | None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def _functions(self) -> Handlers:
        return self

    # ---- what comes ----

    async def run(self) -> None:
        """Calls the decorated functions until the session is over. One that raises is reported, and the others go on."""
        await self._connect()
        for seconds, function in self._timers:
            self.spawn(self._repeat(seconds, function))
        try:
            while (message := await self._next()) is not None:
                await self._dispatch(message)
        except asyncio.CancelledError:
            if not self._terminated:
                raise
        finally:
            await self._finish()

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Events and calls for which there is no function, until the session is over."""
        await self._connect()
        while (message := await self._next()) is not None:
            known = self._calls if message.kind == "call" else self._events
            if message.kind != "system" and message.name not in known and not message.problem:
                yield Event(self, message)
            else:
                await self._dispatch(message)
        await self._finish()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work beside the conversation. It is cancelled when the session is over; what it raises is reported."""
        task = asyncio.get_running_loop().create_task(self._reported(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- calls ----

    async def call(self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS) -> Any:
        """The page's answer. CallError: it failed; TimeoutError; Ended."""
        messages = self._ask(name, data, timeout)
        try:
            return only_answer(name, await messages.__anext__())
        finally:
            await messages.aclose()

    async def stream(self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS) -> AsyncIterator[Any]:
        """The page's several answers; `timeout` counts from one to the next. Leaving the loop gives the call up."""
        async for message in self._ask(name, data, timeout):
            if message.kind == "failure":
                raise CallError(message.data)
            if message.kind == "part" or not message.bare:
                yield message.data

    async def _ask(self, name: str, data: Any, timeout: float | None) -> Any:
        await self._connect()
        number = self._new_call()
        answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._waiting[number] = answers
        self._note_room()
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

    # ---- one message ----

    async def _dispatch(self, message: Message) -> None:
        if message.problem:
            self._refuse_unreadable(message)
        elif message.kind == "call":
            await self._calls_room.acquire()
            self.spawn(self._serve(message)).add_done_callback(lambda _: self._calls_room.release())
        elif function := (self._hooks if message.kind == "system" else self._events).get(message.name):
            await self._reported(_awaited(function, message.data))
        elif message.kind == "event":
            self._complain_unheard("event", message.name)

    def _refuse_unreadable(self, message: Message) -> None:
        if message.kind == "call":
            self._post(f"!{message.call}", {"message": "the program can't read this data"})
        print(f"httpsocket: {message.name}: {message.problem}", file=sys.stderr)

    async def _serve(self, message: Message) -> None:
        try:
            function = self._calls.get(message.name)
            if not function:
                self._complain_unheard("call", message.name)
                raise Failure(f"no function for {message.name}")
            answer = function(message.data)
            if inspect.isasyncgen(answer):
                async for part in answer:
                    await self._post(f"+{message.call}", part)
                answer = None
            elif inspect.isgenerator(answer):
                for part in answer:
                    await self._post(f"+{message.call}", part)
                answer = None
            elif inspect.isawaitable(answer):
                answer = await answer
            await self._post(f"={message.call}", NOTHING if answer is None else answer)
        except Failure as failure:
            await self._post(f"!{message.call}", failure.data)
        except Ended:
            raise
        except Exception:
            await self._post(f"!{message.call}", {"message": "the program failed"})
            raise

    async def _repeat(self, seconds: float, function: Callable[..., Any]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + seconds, loop.time())
            await asyncio.sleep(due - loop.time())
            await self._reported(_awaited(function))

    @staticmethod
    async def _reported(work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        except Ended:
            return None
        except Exception:
            traceback.print_exc()
            return None

    async def _finish(self) -> None:
        self._at_end = True
        for answers in self._waiting.values():
            answers.put_nowait(None)
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if ended := self._hooks.pop("", None):
            await self._reported(_awaited(ended))

    # ---- descriptor 3 ----

    async def _connect(self) -> None:
        if self._writer:
            return
        if self._fd < 0:
            sys.exit("httpsocket: there is no page to talk with: this program is to be started by httpsocketd")
        self._terminated = False
        self._calls_room = asyncio.Semaphore(CALLS_MAX)
        self._draining = asyncio.Lock()
        self._heard, self._room = asyncio.Event(), asyncio.Event()
        reader, self._writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=self._fd))
        self._writer.transport.set_write_buffer_limits(0)  # who waits, waits until the server has it
        for early in self._early:
            self._writer.write(early)
        self._early.clear()
        self._end_on_sigterm()
        self._note_room()
        self._read_task = asyncio.get_running_loop().create_task(self._read_all(reader))

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
                self._note_room()
        except ConnectionError:
            pass
        finally:
            self._at_end = True
            self._heard.set()
            for answers in self._waiting.values():
                answers.put_nowait(None)

    def _sort(self, message: Message) -> None:
        if message.kind in ("answer", "part", "failure"):
            if (answers := self._waiting.get(message.call)) is not None:
                answers.put_nowait(message)  # one that was given up is passed over
            return
        self._queue.append(message)
        self._queued += message.size
        self._heard.set()

    def _note_room(self) -> None:
        """Reading stops where the functions are slow, but goes further while one of them waits for an answer."""
        limit = QUEUE_MAX if self._waiting else READ_AHEAD
        if self._queued < limit:
            self._room.set()
        else:
            self._room.clear()

    async def _next(self) -> Message | None:
        while not self._queue:
            if self._at_end:
                return None
            self._heard.clear()
            await self._heard.wait()
        message = self._queue.popleft()
        self._queued -= message.size
        self._note_room()
        return message

    def _post(self, head: str, data: Any = NOTHING) -> Room:
        if self._at_end:
            raise Ended
        whole = line(head, data)
        if not self._writer:
            self._early.append(whole)
        elif self._writer.transport.get_write_buffer_size() > OUT_MAX:
            raise BufferError(f"{OUT_MAX} bytes wait for the page: await what send() gives")
        else:
            self._writer.write(whole)
        return Room(self)

    async def _drain(self) -> None:
        await self._connect()
        assert self._writer
        try:
            async with self._draining:
                await self._writer.drain()
        except ConnectionError:
            raise Ended from None

    def _end_on_sigterm(self) -> None:
        task = asyncio.current_task()

        def end() -> None:
            self._terminated = True
            if task:
                task.cancel()

        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        except (ValueError, RuntimeError):  # another thread than the main one
            pass


async def _awaited(function: Callable[..., Any], *arguments: Any) -> Any:
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result


page = Page()
