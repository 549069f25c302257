# SPDX-License-Identifier: MIT
"""How the functions of a program are called under asyncio."""
from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from ..handlers import Failure, Handlers
from ..streams import StreamReset
from ..wire import NOTHING, Message
from .connection import Ended
from .conversation import Stream, Conversation
from .saving import HEARD

CALLS_MAX = 1000  # answered side by side


class Functions(Handlers):
    """Handlers that may be coroutines. `lead` is what each gets before its
    data: nothing, or the page.
    """

    def __init__(self) -> None:
        Handlers.__init__(self)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._serving = 0
        self._served: asyncio.Event | None = None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work beside the conversation. It is cancelled when that is over;
        what it raises is reported.
        """
        task = asyncio.get_running_loop().create_task(reported(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _start_timers(self) -> None:
        for seconds, function in self._timers:
            self.spawn(_repeat(seconds, function))

    def _knows(self, message: Message) -> bool:
        maps = {"call": self._calls, "event": self._events}
        return message.name in maps.get(message.kind, self._hooks)

    async def _dispatch(self, conversation: Conversation, message: Message, *lead: Any) -> None:
        HEARD.set(message.number)
        if message.kind == "call" and not message.problem:
            await self._wait_for_turn()
            task = self.spawn(self._serve(conversation, message, *lead))
            task.add_done_callback(lambda task: self._note_served(task, conversation, message))
            return
        try:
            await self._hear(conversation, message, *lead)
        except SystemExit:
            conversation._done_with(message)
            raise
        conversation._done_with(message)

    async def _hear(self, conversation: Conversation, message: Message, *lead: Any) -> None:
        if message.name == ".problem":
            conversation._state.note_problem(message)
        if message.problem:
            self._refuse_unreadable(conversation, message)
        elif message.name in (".restore", ".state"):
            told = conversation._state.restored(message)
            if told and (function := self._hooks.get(".restore")):
                await reported(awaited(function, *lead, told))
        elif message.name == ".stream":
            self._begin_stream(conversation, message.data, *lead)
        elif function := (self._hooks if message.kind == "system" else self._events).get(
            message.name
        ):
            await reported(awaited(function, *lead, message.data))
        elif message.kind == "event":
            self._complain_unheard("event", message.name)

    def _begin_stream(self, conversation: Conversation, opened: dict[str, Any], *lead: Any) -> None:
        stream = Stream(conversation, opened)
        if function := self._streams.get(stream.name):
            conversation._open_streams[stream.id] = stream
            self.spawn(self._take_stream(conversation, stream, function(*lead, stream)))
        else:
            self._refuse_stream(stream)

    @staticmethod
    async def _take_stream(conversation: Conversation, stream: Stream, work: Any) -> None:
        try:
            if inspect.isawaitable(work):
                await work
            stream._finish()
        except StreamReset:
            pass
        except Ended:
            raise
        except Exception:
            stream.reset("program-failed")
            raise
        finally:
            del conversation._open_streams[stream.id]
            stream._inbox.forget()

    async def _wait_for_turn(self) -> None:
        while self._serving >= CALLS_MAX:
            self._served = asyncio.Event()
            await self._served.wait()
        self._serving += 1

    def _note_served(
        self, task: asyncio.Task[Any], conversation: Conversation, message: Message
    ) -> None:
        if not task.cancelled():
            conversation._done_with(message)
        self._serving -= 1
        if self._served:
            self._served.set()

    @staticmethod
    def _refuse_unreadable(conversation: Conversation, message: Message) -> None:
        if message.kind == "call":
            conversation._post(f"!{message.call}", {"message": "the program can't read this data"})
        print(f"httpsocket: {message.name}: {message.problem}", file=sys.stderr)

    async def _serve(self, conversation: Conversation, message: Message, *lead: Any) -> None:
        try:
            function = self._calls.get(message.name)
            if not function:
                self._complain_unheard("call", message.name)
                raise Failure(f"no function for {message.name}")
            answer = await _parts_sent(conversation, message.call, function(*lead, message.data))
            await conversation._post(f"={message.call}", NOTHING if answer is None else answer)
        except Failure as failure:
            await conversation._post(f"!{message.call}", failure.data)
        except Ended:
            raise
        except Exception:
            await conversation._post(f"!{message.call}", {"message": "the program failed"})
            raise

    async def _end_tasks(self) -> None:
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if ended := self._hooks.pop("", None):
            await reported(awaited(ended))


async def _parts_sent(conversation: Conversation, call: int, result: Any) -> Any:
    """The last answer, once those before it have been sent."""
    if inspect.isasyncgen(result):
        async for part in result:
            await conversation._post(f"+{call}", part)
        return None
    if inspect.isgenerator(result):
        for part in result:
            await conversation._post(f"+{call}", part)
        return None
    return await result if inspect.isawaitable(result) else result


async def _repeat(seconds: float, function: Callable[..., Any]) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        due = max(due + seconds, loop.time())
        await asyncio.sleep(due - loop.time())
        await reported(awaited(function))


async def awaited(function: Callable[..., Any], *arguments: Any) -> Any:
    result = function(*arguments)
    return await result if inspect.isawaitable(result) else result


async def reported(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await work
    except Ended:
        return None
    except Exception:
        traceback.print_exc()
        return None
