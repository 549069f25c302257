#!/usr/bin/env python3
"""The program of sdk-state.test.mjs, by the Python helper, with asyncio: of its own, and shared."""
import asyncio
import os
import signal
import sys

from httpsocket.aio import Pages, page

shared = os.path.basename(sys.argv[0]).startswith("state_shared")
program = Pages() if shared else page
released = asyncio.Event()


def with_page(function):
    """The functions of a shared program are given the page; these are, in both kinds."""
    if shared:
        return function

    async def alone(*data):
        return await function(page, *data)

    return alone


async def begin(page):
    page.state = {"notes": [], "pad": ""}
    page.send("started", {"pid": os.getpid(), "restored": page.is_restored})
    return "<!doctype html><title>state</title>"


@program.restored
@with_page
async def restored(page, told):
    page.send("restored", [told["why"], told["resent"], page.state["notes"]])
    if page.request.query.get("fail"):
        raise RuntimeError("a restore that throws")


async def note(page, n):
    page.state["notes"].append([n, page.resent])
    page.send("noted", n)


@program.handle("notes")
@with_page
async def notes(page, _):
    return page.state["notes"]


@program.on("look")
@with_page
async def look(page, _):
    page.send("looked")


@program.on("throw")
@with_page
async def throw(page, n):
    await note(page, n)
    raise RuntimeError("thrown on purpose")


@program.on("die")
@with_page
async def die(page, n):
    page.state["notes"].append([n, page.resent])
    if not page.resent:
        os.kill(os.getpid(), signal.SIGKILL)


@program.on("quit")
@with_page
async def leave(page, n):
    await note(page, n)
    sys.exit(3)


@program.on("pad")
@with_page
async def pad(page, size):
    page.state["pad"] = "x" * size


@program.on("bad")
@with_page
async def bad(page, _):
    try:
        page.state = {"socket": sys.stdin}
    except TypeError as error:
        page.send("refused", str(error))
    page.state["pad"] = {1, 2}


@program.on("ask")
@with_page
async def ask(page, n):
    await note(page, await page.call("name", n))


@program.on("later")
@with_page
async def later(page, n):
    async def change():
        await asyncio.sleep(0.1)
        page.state["notes"].append([n, False])

    program.spawn(change())


@program.handle("slow")
@with_page
async def slow(page, n):
    page.send("waiting")
    await released.wait()
    await note(page, n)


@program.on("release")
@with_page
async def release(page, _):
    released.set()


async def problem(what):
    page.send("told", what["command"])


program.on("note")(with_page(note))
if shared:
    program.page(begin)
    program._system(".problem")(lambda page, what: page.send("told", what["command"]))
else:
    page.problem(problem)
    if not page.request.query.get("unused"):
        page.show(asyncio.run(begin(page)))
    page.on("add")(lambda n: page.send("total", n))
    page.end()
asyncio.run(program.run())
