# SPDX-License-Identifier: MIT
"""A page and its conversation, in the plain form that blocks;
httpsocket.aio has the same for asyncio.
"""
from __future__ import annotations

import atexit
import collections
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, NoReturn

from .answer import HTML, Answer, lead_stdout_to_log, put_on_stdout
from .commands import Commands
from .handlers import Failure, Handlers
from .request import Request
from .state import State
from .streams import OpenStream, StreamReset, stream_of
from .wire import NOTHING, Message, Reader, checked_name, line

CALL_SECONDS = 30.0
LOOK_SECONDS = 1.0  # how often a program with threads looks whether its state has changed
QUEUE_MAX = 16 * 1024 * 1024  # bytes that are read ahead while something else is waited for


class Ended(SystemExit):
    """The session is over. Uncaught it ends the program in good order, as
    the end of a session should.
    """

    def __init__(self) -> None:
        super().__init__(0)


class CallError(Exception):
    """The page answered a call with a failure; `data` is all it said."""

    def __init__(self, data: Any) -> None:
        message = data.get("message") if isinstance(data, dict) else None
        super().__init__(message if isinstance(message, str) else "the call failed")
        self.data = data


class Event:
    """What the page sent, where the program reads it itself: `for event in
    page`. A call wants answer(), or fail(). `resent`: a process before this one may have seen it.
    """

    __slots__ = ("_page", "_number", "name", "data", "call", "resent")
    __match_args__ = ("name", "data")

    def __init__(self, page: Commands, message: Message, resent: bool = False) -> None:
        self._page, self._number, self.resent = page, message.call, resent
        self.name, self.data, self.call = message.name, message.data, message.kind == "call"

    def answer(self, data: Any = NOTHING) -> Any:
        return self._page._post(f"={self._number}", data)

    def part(self, data: Any) -> Any:
        """One of several answers; answer() ends them."""
        return self._page._post(f"+{self._number}", data)

    def fail(self, message: str, **more: Any) -> Any:
        return self._page._post(f"!{self._number}", {"message": message, **more})

    def __repr__(self) -> str:
        return f"<{'call' if self.call else 'event'} {self.name} {str(self.data)[:60]}>"


class Stream(OpenStream):
    """A byte stream of the page: `for piece in stream`, write(), end()."""

    def __init__(self, page: Page, opened: dict[str, Any]) -> None:
        super().__init__(page._post, opened)
        self._page = page

    def __iter__(self) -> Iterator[bytes]:
        """What the page says, until its end. StreamReset; Ended. What else
        comes meanwhile is heard afterwards.
        """
        if not self._accepted:
            self.accept()
        pieces = self._page._open_streams[self.id]
        while (
            piece := self._heard(self._page._await_one(pieces, f"stream {self.name}", None))
        ) is not None:
            yield piece


class AnsweredPage:
    """The page's making: the request, and the answer to it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.request = Request(environment)
        #: A script or a device connects straight to the program: no page is wanted.
        self.direct = environment.get("HTTPSOCKET_CONNECT") == "1"
        #: The program was started to go on for one that is gone: the page is there already, and
        #: what show() says is not wanted.
        self.is_restored = environment.get("HTTPSOCKET_RESTORE") == "1"
        #: The session's id; empty where there is none.
        self.session = environment.get("HTTPSOCKET_SESSION", "")
        self._answer = Answer(self.direct, put_on_stdout, lead_stdout_to_log)

    def show(
        self,
        body: str | bytes = "",
        type: str = HTML,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answers the request with this page, whole. For a direct connection it
        accepts, and the body is not wanted.
        """
        self.begin(type, status=status, headers=headers)
        self.write(body)
        self.end()

    def begin(
        self, type: str = HTML, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Begins a page that is written in pieces, by write() or print(); end() completes it."""
        self._answer.begin(type, status=status, headers=headers)

    def write(self, body: str | bytes) -> None:
        self._answer.write(body)

    def end(self) -> None:
        """The page is complete. What is printed from now on goes to the server's log."""
        self._answer.end()

    def refuse(
        self,
        status: int = 401,
        message: str = "",
        *,
        realm: str = "",
        retry: float | None = None,
        path: str = "",
    ) -> NoReturn:
        """Answers with this status instead of a page, and ends the program.

        401 keeps the client's scripts away from here for a minute, or for `retry` seconds; `path`
        says from where down. With `realm` a browser asks its user for a name and a password, which
        are the request's header `authorization` next time.
        """
        self._answer.refuse(status, message, realm, retry, path)
        sys.exit(0)


class Page(AnsweredPage, Handlers, Commands):
    """The page that this program has made. send() and the other commands may be
    used by any thread; one thread reads.
    """

    def __init__(self, fd: int | None = None, environment: Mapping[str, str] = os.environ) -> None:
        AnsweredPage.__init__(self, environment)
        Handlers.__init__(self)
        Commands.__init__(self)
        self._fd = int(environment.get("HTTPSOCKET_FD", "-1")) if fd is None else fd
        self._socket: socket.socket | None = None
        self._reader = Reader()
        self._queue: collections.deque[Message] = collections.deque()
        self._queued = 0
        self._at_end = False
        self._waiting: dict[int, collections.deque[Message]] = {}
        self._open_streams: dict[int, collections.deque[Message]] = {}
        self._reading, self._writing = threading.Lock(), threading.RLock()
        self._state = State(self.is_restored)
        self._heard = 0  # the number of the message that is being heard
        self._saves_at_exit = False

    def _functions(self) -> Handlers:
        return self

    # ---- the state ----

    @property
    def state(self) -> Any:
        """What outlives this program: JSON, at first `{}`. It is saved when it has changed, after
        each function, and is there again before the functions of the next process run.
        """
        self._use_state()
        return self._state.value

    @state.setter
    def state(self, value: Any) -> None:
        self._state.replace(value)
        self._use_state()

    @property
    def resent(self) -> bool:
        """What is being heard may have been seen by a process before this one."""
        return self._state.is_resent(self._heard)

    def save(self) -> None:
        """Saves the state now, if it has changed: in the midst of a long function, or in a thread
        of the program's own.
        """
        with self._writing:
            if lines := self._state.lines():
                self._write(lines)

    def _use_state(self) -> None:
        self._state.used = True
        if not self._saves_at_exit:
            self._saves_at_exit = True
            atexit.register(self._save_last)

    def _save_last(self) -> None:
        """At the program's end, unless it failed: then the message that it failed of comes again."""
        if self._fd >= 0 and not hasattr(sys, "last_type"):
            self._end_turn()

    def _end_turn(self) -> None:
        """What was heard is done, and the state is as it leaves it."""
        if self._heard:
            self._state.done(self._heard)
            self._heard = 0
        if self._state.used and not self._at_end:
            try:
                self.save()
            except Ended:
                pass  # what has been read is heard, all the same

    # ---- what comes ----

    def run(self) -> None:
        """Calls the decorated functions until the session is over. One that
        raises is reported, and the others go on.
        """
        try:
            due = [time.monotonic() + seconds for seconds, _ in self._timers]
            while True:
                if (message := self._next(min(due) if due else None)) is not None:
                    self._dispatch(message)
                elif self._at_end:
                    break
                for i, (seconds, function) in enumerate(self._timers):
                    if due[i] <= (now := time.monotonic()):
                        due[i] = max(due[i] + seconds, now)
                        self._guarded(function)
        except Ended:
            self._state.closed = True
        self._finish()

    def __iter__(self) -> Iterator[Event]:
        """Events and calls for which there is no function, until the session is over."""
        while (event := self.next()) is not None:
            yield event
        self._finish()

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event or call for which there is no function. None: the session is over
        (`over`), or the time is.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (message := self._next(deadline)) is not None:
            known = self._calls if message.kind == "call" else self._events
            if message.kind != "system" and message.name not in known and not message.problem:
                return Event(self, message, self.resent)
            self._dispatch(message)
        return None

    @property
    def over(self) -> bool:
        """The session has ended, and all that came before has been read."""
        return self._at_end and not self._queue

    # ---- calls ----

    def call(self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS) -> Any:
        """The page's answer. CallError: it failed; TimeoutError; Ended. What else
        comes meanwhile is heard afterwards.
        """
        messages = self._ask(name, data, timeout)
        message = next(messages)
        messages.close()
        return only_answer(name, message)

    def stream(
        self, name: str, data: Any = NOTHING, timeout: float | None = CALL_SECONDS
    ) -> Iterator[Any]:
        """The page's several answers; `timeout` counts from one to the next.
        Leaving the loop gives the call up.
        """
        for message in self._ask(name, data, timeout):
            if message.kind == "failure":
                raise CallError(message.data)
            if message.kind == "part" or not message.bare:
                yield message.data

    def _ask(self, name: str, data: Any, timeout: float | None) -> Generator[Message, None, None]:
        number = self._new_call()
        answers = self._waiting[number] = collections.deque()
        try:
            self._post(f"{checked_name(name)}?{number}", data)
            while True:
                message = self._await_one(answers, name, timeout)
                yield message
                if message.kind != "part":
                    return
        finally:
            del self._waiting[number]

    def _await_one(
        self, awaited: collections.deque[Message], name: str, timeout: float | None
    ) -> Message:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not awaited:
            if self._at_end:
                raise Ended
            if self._queued > QUEUE_MAX:
                raise TimeoutError(f"{name}: {QUEUE_MAX} bytes of other things came before it")
            if not self._wait_readable(deadline):
                raise TimeoutError(f"{name}: nothing in {timeout} s")
            self._read()
        return awaited.popleft()

    # ---- one message ----

    def _dispatch(self, message: Message) -> None:
        if message.name == ".problem":
            self._state.note_problem(message)
        if message.problem:
            self._refuse_unreadable(message)
        elif message.name in (".restore", ".state"):
            self._go_on(message)
        elif message.kind == "call":
            self._guarded(self._serve, message)
        elif message.name == ".stream":
            self._guarded(self._take_stream, message.data)
        elif function := (self._hooks if message.kind == "system" else self._events).get(
            message.name
        ):
            self._guarded(function, message.data)
        elif message.kind == "event":
            self._complain_unheard("event", message.name)

    def _go_on(self, message: Message) -> None:
        told = self._state.restored(message)
        self._use_state()
        if told and (function := self._hooks.get(".restore")):
            self._guarded(function, told)

    def _refuse_unreadable(self, message: Message) -> None:
        if message.kind == "call":
            self._post(f"!{message.call}", {"message": "the program can't read this data"})
        print(f"httpsocket: {message.name}: {message.problem}", file=sys.stderr)

    def _serve(self, message: Message) -> None:
        try:
            function = self._calls.get(message.name)
            if not function:
                self._complain_unheard("call", message.name)
                raise Failure(f"no function for {message.name}")
            answer = function(message.data)
            if isinstance(answer, Iterator):
                answer = self._send_parts(message.call, answer)
            self._post(f"={message.call}", NOTHING if answer is None else answer)
        except Failure as failure:
            self._post(f"!{message.call}", failure.data)
        except Exception:
            self._post(f"!{message.call}", {"message": "the program failed"})
            raise

    def _take_stream(self, opened: dict[str, Any]) -> None:
        stream = Stream(self, opened)
        function = self._streams.get(stream.name)
        if not function:
            self._refuse_stream(stream)
            return
        self._open_streams[stream.id] = collections.deque()
        try:
            function(stream)
            stream._finish()
        except StreamReset:
            pass
        except Exception:
            stream.reset("program-failed")
            raise
        finally:
            del self._open_streams[stream.id]

    def _send_parts(self, number: int, parts: Iterator[Any]) -> Any:
        while True:
            try:
                part = next(parts)
            except StopIteration as last:
                return last.value
            self._post(f"+{number}", part)

    @staticmethod
    def _guarded(function: Callable[..., Any], *arguments: Any) -> None:
        try:
            function(*arguments)
        except Exception:
            traceback.print_exc()

    def _finish(self) -> None:
        if ended := self._hooks.pop("", None):
            self._guarded(ended)

    # ---- descriptor 3 ----

    def _connection(self) -> socket.socket:
        with self._writing:
            if not self._socket:
                if self._fd < 0:
                    sys.exit(
                        "httpsocket: there is no page to talk with: this program is to be started by httpsocketd"
                    )
                self._socket = socket.socket(fileno=self._fd)
                end_on_sigterm(self._state)
            return self._socket

    def _next(self, deadline: float | None) -> Message | None:
        self._end_turn()
        while not self._queue:
            if self._at_end or not self._wait_for_more(deadline):
                return None
            self._read()
        message = self._queue.popleft()
        self._queued -= message.size
        self._heard = message.number
        return message

    def _wait_for_more(self, deadline: float | None) -> bool:
        """The same, with an eye on a state that threads of the program change meanwhile."""
        while self._state.used and threading.active_count() > 1:
            soon = time.monotonic() + LOOK_SECONDS
            if deadline is not None and deadline <= soon:
                break
            if self._wait_readable(soon):
                return True
            self._end_turn()
        return self._wait_readable(deadline)

    def _wait_readable(self, deadline: float | None) -> bool:
        return self._poll(select.POLLIN, deadline) != 0

    def _poll(self, events: int, deadline: float | None) -> int:
        poll = select.poll()
        poll.register(self._connection(), events)
        milliseconds = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        return next((found for _, found in poll.poll(milliseconds)), 0)

    def _read(self) -> None:
        with self._reading:
            self._take()

    def _take(self) -> None:
        try:
            data = self._connection().recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:  # another thread was quicker
            return
        except ConnectionError:
            data = b""
        self._at_end = not data
        for message in self._reader.feed(data):
            self._sort(message)

    def _sort(self, message: Message) -> None:
        message = self._state.numbered(message)
        if message.kind in ("answer", "part", "failure"):
            if (answers := self._waiting.get(message.call)) is not None:
                answers.append(message)  # one that was given up is passed over
            return
        if message.kind == "system" and (stream := stream_of(message)) is not None:
            if stream in self._open_streams:
                self._open_streams[stream].append(message)
            return
        self._queue.append(message)
        self._queued += message.size

    def _post(self, head: str, data: Any = NOTHING) -> None:
        self._write(line(head, data))

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        with self._writing:
            while rest:
                try:
                    rest = rest[self._connection().send(rest, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    self._wait_writable()
                except ConnectionError:
                    raise Ended from None

    def _wait_writable(self) -> None:
        """The page is slow, so writing waits. Reading goes on meanwhile, up to a
        limit: each side may wait for the other.
        """
        if self._queued > QUEUE_MAX or not self._reading.acquire(
            blocking=False
        ):  # another thread reads
            self._poll(select.POLLOUT, None)
            return
        try:
            if self._poll(select.POLLOUT | select.POLLIN, None) & select.POLLIN:
                self._take()
        finally:
            self._reading.release()
        if self._at_end:
            raise Ended


def only_answer(name: str, message: Message) -> Any:
    if message.kind == "failure":
        raise CallError(message.data)
    if message.kind == "part":
        raise ValueError(f"{name} gives several answers: use stream()")
    return message.data


def end_on_sigterm(state: State) -> None:
    """SIGTERM follows the end of a session that the program has not seen: it ends as by exit(),
    with its `finally` blocks. A state that a function was changing is not saved.
    """

    def end(_signal: int, _frame: Any) -> NoReturn:
        state.closed = True
        raise Ended

    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ):
        signal.signal(signal.SIGTERM, end)
