#!/usr/bin/env python3
"""The program of sdk-state.test.mjs, by the Python helper."""
import os
import signal
import sys
import threading

from httpsocket import page

if page.request.query.get("unused"):
    page.on("add")(lambda n: page.send("total", n))
    page.show("<!doctype html><title>state</title>")
    page.run()
    sys.exit()

page.state = {"notes": [], "pad": ""}


@page.restored
def restored(told):
    page.send("restored", [told["why"], told["resent"], page.state["notes"]])
    if page.request.query.get("fail"):
        raise RuntimeError("a restore that throws")


@page.on("note")
def note(n):
    page.state["notes"].append([n, page.resent])
    page.send("noted", n)


@page.handle("notes")
def notes(_):
    return page.state["notes"]


@page.on("look")
def look(_):
    page.send("looked")


@page.on("throw")
def throw(n):
    note(n)
    raise RuntimeError("thrown on purpose")


@page.on("die")
def die(n):
    page.state["notes"].append([n, page.resent])
    if not page.resent:
        os.kill(os.getpid(), signal.SIGKILL)


@page.on("quit")
def leave(n):
    note(n)
    sys.exit(3)


@page.on("pad")
def pad(size):
    page.state["pad"] = "x" * size


@page.on("bad")
def bad(_):
    try:
        page.state = {"socket": sys.stdin}
    except TypeError as error:
        page.send("refused", str(error))
    page.state["pad"] = {1, 2}


@page.on("ask")
def ask(n):
    note(page.call("name", n))


@page.on("later")
def later(n):
    threading.Timer(0.1, note, [n]).start()


@page.problem
def problem(what):
    page.send("told", what["command"])


page.show("<!doctype html><title>state</title>")
page.send("started", {"pid": os.getpid(), "restored": page.is_restored})
page.run()
