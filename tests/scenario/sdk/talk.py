#!/usr/bin/env python3
"""The conversation of sdk.test.mjs, by the Python helper."""
import os
import sys

from httpsocket import CallError, Failure, StreamReset, page, escape, script_json

request = page.request
if request.query.get("refuse"):
    page.refuse(401, "not you", realm="the test", retry=7, path="/")

received = []


@page.on("echo")
def echo(data):
    page.send("echo", data)


@page.on("put")
def put(number):
    received.append(number)


@page.handle("report")
def report(_):
    return {
        "count": len(received),
        "in_order": received == list(range(len(received))),
        "pid": os.getpid(),
    }


@page.on("flood")
def flood(count):
    for i in range(count):
        page.send("n", i)


@page.handle("add")
def add(numbers):
    return sum(numbers)


@page.handle("same")
def same(data):
    return data


@page.handle("count")
def count(n):
    yield from range(n)


@page.handle("refused")
def refused(what):
    raise Failure(f"no {what}", code=7)


@page.handle("crash")
def crash(_):
    raise RuntimeError("a secret of the program")


@page.on("throw")
def throw(_):
    raise RuntimeError("thrown on purpose")


@page.on("ask")
def ask(what):
    try:
        page.send(
            "asked", {"answer": page.call(what["name"], what["data"], timeout=what["timeout"])}
        )
    except CallError as error:
        page.send("asked", {"failure": str(error)})
    except TimeoutError:
        page.send("asked", {"timeout": True})


@page.on("collect")
def collect(name):
    page.send("collected", list(page.stream(name)))


@page.on("print")
def output(text):
    print(text, flush=True)


@page.on("watch")
def watch(_):
    listener = page.listen("click", "#test", prevent=True, as_="test_click")
    listener(clicked)
    listener.stop()
    page.dom(select="#n", text="<5>")
    page.dom({"select": "#a", "remove": True}, {"select": "#b", "focus": True})


def clicked(event):
    page.send("clicked", event)


@page.problem
def problem(what):
    page.send("told", ["problem", what["command"]])


@page.on("join")
def join(topic):
    board = page.subscribe(topic, history=2, presence={"name": "py"})

    @board
    def heard(event):
        page.send("heard", [event["event"], event["data"]])

    @board.presence
    def who(change):
        page.send("here", [one["data"] for one in change.get("here", change.get("joined", []))])

    board.publish("stroke", {"x": 1})


@page.on("part")
def part(topic):
    page.unsubscribe(topic)


@page.on_stream("upload")
def upload(stream):
    if stream.data["size"] > 10_000_000:
        stream.reset("too-large")
        return
    try:
        for piece in stream:
            stream.write(piece)
    except StreamReset as end:
        page.send("broken", end.reason)


@page.on("leave")
def leave(reason):
    page.close(reason)


@page.attached
def attached(info):
    page.send("told", ["attach", info["resumed"]])


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
page.run()
