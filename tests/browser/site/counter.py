#!/usr/bin/env python3
"""Counts both ways: sends `n 0`, `n 1` ... and expects `c 0`, `c 1` ...,
each exactly once and in order.

The page says `count SECONDS` and `stop`, calls `report` to ask how it went, says `large SIZE` for a
large event, `leave` to make the program exit.
"""
import json
import os
import select
import sys
import time

PAGE = (
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>counter</title>
<script src="/.httpsocket/client.js"></script>
<script>
  const server = document.serverConnection;
  const seen = { next: 0, faults: [], states: [], larges: [], sent: 0 };
  for (const type of ['open', 'suspend', 'resume', 'close', 'error'])
    server.addEventListener(type, ({ code, reason, retryAfter }) => {
      seen.states.push({ type, code, reason, retryAfter });
    });
  server.onn = (n) => { if (n === seen.next) seen.next++; else seen.faults.push([n, seen.next]); };
  server.onlarge = (text) => seen.larges.push([text.length, [...text].every((c) => c === 'x')]);
  let counting;
  const count = (every) => { counting = setInterval(() => server.send('c', seen.sent++), every); };
  const stop = () => { clearInterval(counting); server.send('stop'); };
</script>
<p>%d</p>
"""
    % os.getpid()
)

sys.stdout.write("Content-Type: text/html; charset=utf-8\n\n" + PAGE)
sys.stdout.flush()
os.close(1)


def send(name, data):
    view = memoryview(f"{name} {json.dumps(data)}\n".encode())
    while view:
        view = view[os.write(3, view) :]


expected, faults, next_number, every, due = 0, [], 0, 0.0, None
attaches, rest = [], b""
while True:
    wait = None if due is None else max(0, due - time.monotonic())
    readable, _, _ = select.select([3], [], [], wait)
    if due is not None and time.monotonic() >= due:
        send("n", next_number)
        next_number += 1
        due += every
    if not readable:
        continue
    data = os.read(3, 1 << 20)
    if not data:
        break
    *lines, rest = (rest + data).split(b"\n")
    for line in lines:
        name, _, body = line.partition(b" ")
        value = json.loads(body) if body else None
        call = name.decode().partition("?")
        if name == b"c":
            if value == expected:
                expected += 1
            else:
                faults.append([value, expected])
        elif name == b".attach":
            attaches.append(value["resumed"])
        elif name == b"count":
            every, due = value, time.monotonic()
        elif name == b"stop":
            due = None
        elif name == b"large":
            send("large", "x" * value)
        elif name == b"leave":
            send("n", next_number)
            sys.exit(0)
        elif call[0] == "report":
            send(
                f"={call[2]}",
                {
                    "pid": os.getpid(),
                    "received": expected,
                    "faults": faults,
                    "sent": next_number,
                    "attaches": attaches,
                },
            )
        elif call[0] == "length":
            send(f"={call[2]}", len(value))
