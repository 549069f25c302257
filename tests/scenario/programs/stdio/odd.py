#!/usr/bin/env python3
"""A stdio program that does what a line says."""
import os
import signal
import subprocess
import sys
import time

out = sys.stdout.buffer


def flood(count):
    for i in range(int(count)):
        out.write(b"%d %s\n" % (i, b"x" * 1000))


def stubborn(_):
    """Ignores end of file and SIGTERM, with a child that does so too."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    print("pids", os.getpid(), child.pid, flush=True)
    while sys.stdin.readline():
        pass
    print("heard end of file", file=sys.stderr, flush=True)
    while True:
        time.sleep(1000)


def family(_):
    child = subprocess.Popen(["sleep", "1000"])
    print("pids", os.getpid(), child.pid, flush=True)


commands = {
    "echo": lambda text: print(text),
    "env": lambda name: print(os.environ.get(name, "(none)")),
    "cwd": lambda _: print(os.getcwd()),
    "isatty": lambda fd: print(os.isatty(int(fd))),
    "bytes": lambda text: (out.write(bytes.fromhex(text)), out.flush()),
    "long": lambda count: print("y" * int(count)),
    "half": lambda text: (out.write(text.encode()), out.flush()),
    "stderr": lambda text: print(text, file=sys.stderr, flush=True),
    "flood": flood,
    "stubborn": stubborn,
    "family": family,
    "exit": lambda status: sys.exit(int(status)),
    "deaf": lambda _: (print("deaf", flush=True), os.close(0), time.sleep(1000)),
    "asleep": lambda _: (print("asleep", os.getpid(), flush=True), signal.pause()),
    "mute": lambda _: (os.close(1), time.sleep(1000)),
    "fds": lambda _: print(sorted(map(int, os.listdir("/proc/self/fd")))[:-1]),
}

for line in iter(sys.stdin.buffer.readline, b""):
    word, _, rest = line.rstrip(b"\n").partition(b" ")
    if word.decode("latin-1") in commands:
        commands[word.decode("latin-1")](rest.decode())
    else:
        out.write(b"got " + line)
        out.flush()
