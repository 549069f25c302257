#!/usr/bin/env python3
"""The shared program of sdk-shared.test.mjs, by the Python helper."""
import asyncio
import os
import sys

from httpsocket import escape
from httpsocket.aio import CallError, Pages

pages = Pages()


@pages.page
async def make(page):
    if page.request.query.get("refuse"):
        page.refuse(403, "not you")
    if page.request.query.get("crash"):
        raise RuntimeError("a page that can't be made")
    page.count = 0
    return f"<!doctype html><title>{escape(page.request.query.get('name', ''))} {page.request.form.get('field', '')}</title>"


@pages.on("add")
async def add(page, n):
    page.count += n
    await page.send("total", [page.count, os.getpid(), len(list(pages))])


@pages.on("say")
def say(page, text):
    pages.send("said", text)


@pages.handle("double")
async def double(page, n):
    return 2 * n


@pages.on("ask")
async def ask(page, name):
    try:
        await page.send("asked", await page.call(name))
    except CallError as error:
        await page.send("asked", str(error))


@pages.on("flood")
async def flood(page, count):
    for i in range(count):
        await page.send("n", [i, "x" * 1000])


@pages.on("join")
async def join(page, topic):
    board = page.subscribe(topic)

    @board
    async def heard(event):
        await page.send("heard", event["data"])

    await board.publish("stroke", page.count)


@pages.on_stream("upload")
async def upload(page, stream):
    async for piece in stream:
        await stream.write(piece)


@pages.attached
async def attached(page, info):
    await page.send("told", ["attach", info["resumed"]])


@pages.left
async def left(page):
    print("left", page.count, file=sys.stderr)


@pages.ended
async def ended():
    print("ended", file=sys.stderr)


asyncio.run(pages.run())
