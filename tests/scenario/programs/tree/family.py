#!/usr/bin/env python3
"""Starts processes that get away in different ways, says how many there are, and waits for ever."""
import os
import signal
import sys

for number in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
    signal.signal(number, signal.SIG_IGN)


def fork_away(*steps):
    """Runs each step in a child of the process before, which ends unless it is the first."""
    ready, tell = os.pipe()
    if os.fork() == 0:
        for i, step in enumerate(steps):
            step()
            if i + 1 < len(steps) and os.fork() > 0:
                os._exit(0)
        os.write(tell, b"x")
        os.close(tell)
        for fd in 0, 1, 2:
            os.close(fd)
        while True:
            signal.pause()
    os.read(ready, 1)


def stay():
    pass


def lead_group():
    os.setpgid(0, 0)


def forget():
    if "HTTPSOCKET_PROGRAM" in os.environ:
        os.execve(sys.argv[0], [sys.argv[0], "nameless"], {"PATH": os.environ["PATH"]})


if sys.argv[1:] == ["nameless"]:
    sys.stdout.close()
    os.close(0)
    os.close(2)
    while True:
        signal.pause()
fork_away(stay)
fork_away(lead_group)
fork_away(os.setsid)
fork_away(os.setsid, stay)
fork_away(stay, os.setsid, stay, lead_group)
print("ready", flush=True)
if sys.stdin.readline() == "nameless\n":
    if os.fork() == 0:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        forget()
    print("forgotten", flush=True)
while True:
    signal.pause()
