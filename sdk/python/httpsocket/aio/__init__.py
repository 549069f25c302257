# SPDX-License-Identifier: MIT
"""Page programs for asyncio.

    import asyncio
    from httpsocket.aio import page

    @page.handle("slow")
    async def slow(n):
        await asyncio.sleep(n)
        return "done"

    page.show("<!doctype html>…")
    asyncio.run(page.run())

Functions are plain or coroutines. Events of a page are heard one after the other, in order; calls
are begun in order and answered side by side. send() and its like queue at once; `await
page.send(…)` waits while the page is slower than the program.
"""
from __future__ import annotations

from ..handlers import Failure
from ..page import CallError, Event
from ..streams import StreamReset
from .connection import Ended
from .page import Page
from .pages import Pages, SharedPage
from .conversation import Stream

__all__ = [
    "CallError",
    "Ended",
    "Event",
    "Failure",
    "Page",
    "Pages",
    "SharedPage",
    "Stream",
    "StreamReset",
    "page",
]

page = Page()
