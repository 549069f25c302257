# SPDX-License-Identifier: MIT
"""One process for many pages: a shared program (docs/page-programs/shared.md). Its functions get
the page before everything else.

    import asyncio
    from httpsocket.aio import Pages

    pages = Pages()

    @pages.page
    async def make(page):
        return "<!doctype html>…"

    @pages.on("say")
    async def say(page, text):
        pages.send("said", text)            # to all

    asyncio.run(pages.run())
"""
from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ..answer import Answer, lead_stdout_to_log
from ..handlers import Function, Handlers
from ..page import AnsweredPage
from ..request import Request
from ..wire import NOTHING, Message, line
from .connection import Connection, Ended, Inbox
from .functions import Functions, awaited, reported
from .conversation import Conversation


class Refused(Exception):
    """The page's answer is a refusal, and there is no more to do."""


class SharedPage(AnsweredPage, Conversation):
    """One page of many. Any attribute may be set on it: it is where a
    program keeps what belongs to this page.
    """

    def __init__(
        self, connection: Connection, joined: dict[str, Any], body: bytes, id: str
    ) -> None:
        self.is_restored = bool(joined.get("restore"))
        Conversation.__init__(self, connection, f"@{id} ", self.is_restored)
        self.id = id
        self.request = Request(_environment(joined), body)
        self.direct = not joined["page"]
        self.session = id if joined["session"] else ""
        self._answer = Answer(
            self.direct, lambda data: self._post(".answer", data), lambda: self._post(".answer")
        )
        self._inbox = Inbox(connection)
        self._own = Functions()  # begun by listen() and subscribe() of this page: they get no page
        self._ready = asyncio.Event()
        self._ready.set()

    def refuse(
        self,
        status: int = 401,
        message: str = "",
        *,
        realm: str = "",
        retry: float | None = None,
        path: str = "",
    ) -> NoReturn:
        """Answers with this status instead of a page; the function that makes it is left."""
        self._answer.refuse(status, message, realm, retry, path)
        raise Refused

    def _functions(self) -> Handlers:
        return self._own

    async def _wait_for_room(self) -> None:
        await super()._wait_for_room()
        await self._ready.wait()
        if self._over:
            raise Ended


class Pages(Functions):
    """All pages of this process."""

    def __init__(self, fd: int | None = None, environment: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._connection = Connection(
            int(environment.get("HTTPSOCKET_FD", "-1")) if fd is None else fd, self._sort
        )
        self._here: dict[str, SharedPage] = {}
        self._joining: dict[str, tuple[dict[str, Any], bytearray]] = {}  # whose body is coming
        self._ended = asyncio.Event()
        if not environment.get("HTTPSOCKET_SHARED"):
            self._connection.post(line(".shared"))

    def page(self, function: Function) -> Function:
        """Decorates what makes each page: it gets the page, and returns its
        HTML, or shows or refuses it itself.
        """
        return self._system(".join")(function)

    def left(self, function: Function) -> Function:
        """Decorates what hears that the session of a page is over: it gets the page."""
        return self._system(".leave")(function)

    def __iter__(self) -> Iterator[SharedPage]:
        """The pages that are here now."""
        return iter(list(self._here.values()))

    def send(self, name: str, data: Any = NOTHING) -> None:
        """An event for all pages."""
        for page in self:
            page.send(name, data)

    async def run(self) -> None:
        """Serves pages until the server ends the process."""
        await self._connection.connect()
        self._start_timers()
        try:
            await self._ended.wait()
        except asyncio.CancelledError:
            if not self._connection.terminated:
                raise
        finally:
            await self._end_tasks()

    # ---- what comes ----

    def _sort(self, message: Message | None) -> None:
        if message is None:
            for page in self:
                self._leave(page)
            self._ended.set()
        elif message.name == ".join":
            self._join(message)
        elif message.name == ".body" and message.session in self._joining:
            self._take_body(message)
        elif message.session in self._joining:
            del self._joining[message.session]  # .leave: its body will not come
        elif page := self._here.get(message.session):
            self._sort_for(page, message)

    def _join(self, message: Message) -> None:
        lead_stdout_to_log()  # not before: until `.shared` has been heard, stdout is an answer
        if message.data["body"] is None:
            self._begin(message.session, message.data, b"")
        else:
            self._joining[message.session] = (message.data, bytearray())

    def _take_body(self, message: Message) -> None:
        joined, body = self._joining[message.session]
        if message.bare:
            del self._joining[message.session]
            self._begin(message.session, joined, bytes(body))
        else:
            body += message.data

    def _begin(self, id: str, joined: dict[str, Any], body: bytes) -> None:
        page = self._here[id] = SharedPage(self._connection, joined, body, id)
        self.spawn(self._live(page))

    def _sort_for(self, page: SharedPage, message: Message) -> None:
        message = page._state.numbered(message)
        if message.name == ".leave":
            self._leave(page)
        elif message.name == ".full":
            page._ready.clear()
        elif message.name == ".ready":
            page._ready.set()
        elif not page._take(message):
            page._inbox.put(message)

    def _leave(self, page: SharedPage) -> None:
        self._here.pop(page.id, None)
        page._end_talk()
        page._ready.set()
        page._inbox.put(None)

    # ---- one page ----

    async def _live(self, page: SharedPage) -> None:
        await self._make(page)
        while (message := await page._inbox.next()) is not None:
            if page._own._knows(message):
                await page._own._dispatch(page, message)
            else:
                await self._dispatch(page, message, page)
        if left := self._hooks.get(".leave"):
            await reported(awaited(left, page))
        await page._own._end_tasks()

    async def _make(self, page: SharedPage) -> None:
        try:
            make = self._hooks.get(".join")
            html = await awaited(make, page) if make else None
            if isinstance(html, (str, bytes)):
                page.show(html)
            page.end()
        except (Refused, Ended):
            pass
        except Exception:
            traceback.print_exc()
            await reported(self._fail(page))

    @staticmethod
    async def _fail(page: SharedPage) -> None:
        if not page._answer.begun:
            page.begin("text/plain; charset=utf-8", status=500)
            page.write("the program failed\n")
        page.end()


def _environment(joined: dict[str, Any]) -> dict[str, str]:
    """The request as CGI/1.1 would have told it."""
    names = {
        "method": "REQUEST_METHOD",
        "uri": "REQUEST_URI",
        "script": "SCRIPT_NAME",
        "pathInfo": "PATH_INFO",
        "query": "QUERY_STRING",
        "address": "REMOTE_ADDR",
        "scheme": "REQUEST_SCHEME",
        "type": "CONTENT_TYPE",
    }
    environment = {
        names[key]: value
        for key, value in joined.items()
        if key in names and isinstance(value, str)
    }
    environment.update(
        {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in joined["headers"].items()
        }
    )
    if joined["scheme"] == "https":
        environment["HTTPS"] = "on"
    return environment
