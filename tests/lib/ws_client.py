# SPDX-License-Identifier: MIT
"""Talks with an echo server by Python's websockets and prints what came back, as JSON.

usage: ws_client.py URL
"""
import asyncio
import json
import sys

import websockets


async def main(url):
    seen = {}
    async with websockets.connect(url, compression=None, max_size=None) as ws:
        await ws.send("grüße 😀")
        seen["text"] = await ws.recv()
        await ws.send(bytes(range(256)))
        seen["binary"] = list(await ws.recv())
        await ws.send(["one ", "two ", "three"])  # a fragmented message
        seen["fragments"] = await ws.recv()
        big = "x" * (16 << 20)
        await ws.send(big)
        seen["big"] = await ws.recv() == big
        seen["latency"] = await asyncio.wait_for(await ws.ping(b"are you there"), 10) is not False
        await ws.close(4321, "enough")
        seen["close"] = ws.close_code
    async with websockets.connect(
        url
    ) as ws:  # offers permessage-deflate, which this server does not speak
        await ws.send("again")
        seen["again"] = await ws.recv()
        seen["extensions"] = [e.name for e in ws.extensions]
    print(json.dumps(seen))


asyncio.run(main(sys.argv[1]))
