#!/usr/bin/env python3
"""Hears clicks, publishes a number in a topic for each of them, which it hears too, and takes an
upload. `tell` answers with what the program knows."""
import json
import os
import sys

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>busy</title>
<script src="/.httpsocket/client.js"></script>
<script>
  Object.assign(window, { states: [], ticks: [], clicks: 0, sent: 0, signs: 0, uploaded: null });
  window.pause = window.heard = 0;
  const server = document.serverConnection;
  for (const type of ['open', 'restore', 'close'])
    server.addEventListener(type, () => states.push(type));
  server.onlistening = () => (window.listening = true);
  server.ontick = (n) => {
    ticks.push(n);
    if (heard) pause = Math.max(pause, performance.now() - heard);
    heard = performance.now();
  };
  new MutationObserver(() => {
    signs += document.querySelector('httpsocket-sign') ? 1 : 0;
  }).observe(document, { childList: true, subtree: true });
  function begin() {
    // Clicks 20 times a second; the upload has as many bytes as there is time.
    window.clicking = setInterval(() => (clicks++, document.querySelector('button').click()), 50);
    const stream = server.openStream('file', {});
    (async () => {
      await stream.opened;
      const writer = stream.writable.getWriter();
      for (const piece = new Uint8Array(10000); clicking; ) {
        await writer.write(piece);
        sent += piece.length;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await writer.close();
      await stream.closed;
      uploaded = 'whole';
    })().catch((error) => (uploaded = error.message));
  }
  function end() {
    clearInterval(clicking);
    clicking = 0;
  }
</script>
<textarea name="text"></textarea><button type="button">Click</button>
"""

sys.stdout.write("Content-Type: text/html; charset=utf-8\n\n" + PAGE)
sys.stdout.flush()
os.close(1)

end = os.fdopen(3, "rb+", buffering=0)
lines = os.fdopen(os.dup(3), "rb")
known = {"pid": os.getpid(), "clicks": 0, "uploaded": 0}


def say(line):
    data = memoryview(line.encode() + b"\n")
    while data:
        data = data[end.write(data) :]


for line in lines:
    head, _, data = line.rstrip(b"\n").partition(b" ")
    if head.startswith(b".stream/"):
        known["uploaded"] += len(lines.read(int(data[1:]) + 1)) - 1
        continue
    name, _, call = head.decode().partition("?")
    value = json.loads(data) if data else None
    if name == ".attach" and not value.get("resumed"):
        say('.subscribe {"topic":"clicks"}')
        say('.listen {"on":"click","select":"button","as":"clicked"}')
        say("listening")
    elif name == ".stream":
        say(f'.accept {{"id":{value["id"]}}}')
    elif name == ".end":
        say(f'.end {{"id":{value["id"]}}}')
    elif name == "clicked":
        known["clicks"] += 1
        tick = json.dumps({"topic": "clicks", "event": "tick", "data": known["clicks"]})
        say(f".publish {tick}")
    elif name == ".topic":
        say(f"tick {value['data']}")
    elif name == "tell":
        say(f"={call} {json.dumps(known)}")
