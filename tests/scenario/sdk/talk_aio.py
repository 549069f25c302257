#!/usr/bin/env python3
"""The conversation of sdk.test.mjs, by the Python helper for asyncio."""
import asyncio
import os
import sys

from httpsocket import escape, script_json
from httpsocket.aio import CallError, Failure, StreamReset, page

request = page.request
if request.query.get("refuse"):
    page.refuse(401, "not you", realm="the test", retry=7, path="/")

received = []


@page.on("echo")
async def echo(data):
    await page.send("echo", data)


@page.on("put")
async def put(number):
    received.append(number)


@page.handle("report")
async def report(_):
    return {
        "count": len(received),
        "in_order": received == list(range(len(received))),
        "pid": os.getpid(),
    }


@page.on("flood")
async def flood(count):
    for i in range(count):
        await page.send("n", i)


@page.handle("add")
async def add(numbers):
    return sum(numbers)


@page.handle("same")
async def same(data):
    return data


@page.handle("count")
async def count(n):
    for i in range(n):
        yield i


@page.handle("refused")
async def refused(what):
    raise Failure(f"no {what}", code=7)


@page.handle("crash")
async def crash(_):
    raise RuntimeError("a secret of the program")


@page.on("throw")
async def throw(_):
    raise RuntimeError("thrown on purpose")


@page.on("ask")
async def ask(what):
    try:
        await page.send(
            "asked",
            {"answer": await page.call(what["name"], what["data"], timeout=what["timeout"])},
        )
    except CallError as error:
        await page.send("asked", {"failure": str(error)})
    except TimeoutError:
        await page.send("asked", {"timeout": True})


@page.on("collect")
async def collect(name):
    await page.send("collected", [part async for part in page.stream(name)])


@page.on("print")
async def output(text):
    print(text, flush=True)


@page.on("watch")
async def watch(_):
    listener = page.listen("click", "#test", prevent=True, as_="test_click")
    listener(clicked)
    listener.stop()
    await page.dom(select="#n", text="<5>")
    await page.dom({"select": "#a", "remove": True}, {"select": "#b", "focus": True})


async def clicked(event):
    await page.send("clicked", event)


@page.problem
async def problem(what):
    await page.send("told", ["problem", what["command"]])


@page.on("join")
async def join(topic):
    board = page.subscribe(topic, history=2, presence={"name": "py"})

    @board
    async def heard(event):
        await page.send("heard", [event["event"], event["data"]])

    @board.presence
    async def who(change):
        await page.send(
            "here", [one["data"] for one in change.get("here", change.get("joined", []))]
        )

    await board.publish("stroke", {"x": 1})


@page.on("part")
async def part(topic):
    await page.unsubscribe(topic)


@page.on_stream("upload")
async def upload(stream):
    if stream.data["size"] > 10_000_000:
        await stream.reset("too-large")
        return
    try:
        async for piece in stream:
            await stream.write(piece)
    except StreamReset as end:
        await page.send("broken", end.reason)


@page.on("leave")
async def leave(reason):
    await page.close(reason)


@page.attached
async def attached(info):
    await page.send("told", ["attach", info["resumed"]])


@page.ended
def ended():
    print("ended", file=sys.stderr)


title = escape('<talk> & "more"')
told = {
    "method": request.method,
    "name": request.query.get("name"),
    "agent": request.headers.get("x-test"),
    "field": request.form.get("field"),
}
page.show(f"<!doctype html><title>{title}</title><script>const told = {script_json(told)}</script>")
asyncio.run(page.run())
