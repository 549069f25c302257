# SPDX-License-Identifier: MIT
"""Talks the plain form by Python's websockets and prints what happened, as JSON.

usage: plain_client.py URL
"""
import asyncio
import json
import sys

import websockets


async def main(url):
    seen = {}
    async with websockets.connect(url, max_size=None) as ws:
        seen["subprotocol"] = ws.subprotocol
        texts = ["hello", "", 'with "quotes" and \\ and\nlines', "blåbær 😀", "\x01\x7f"]
        for text in texts:
            await ws.send(text)
        seen["texts"] = [await ws.recv() for _ in texts] == texts
        data = bytes(range(256)) * 1000
        await ws.send(data)
        seen["bytes"] = await ws.recv() == data
        await ws.send(["a ", "fragmented ", "message"])
        seen["fragments"] = await ws.recv()
        await ws.send("numbers")
        seen["numbers"] = await ws.recv()
        await ws.send("exit")
        await ws.wait_closed()
        seen["exit"] = [ws.close_code, ws.close_reason]
    async with websockets.connect(url) as ws:
        await ws.send("fail")
        await ws.wait_closed()
        seen["fail"] = [ws.close_code, ws.close_reason]
    try:
        async with websockets.connect(url, origin="http://evil.example"):
            seen["foreign"] = "let in"
    except websockets.exceptions.InvalidStatusCode as refused:
        seen["foreign"] = [refused.status_code, refused.headers.get("Script-Access-Reason")]
    print(json.dumps(seen))


asyncio.run(main(sys.argv[1]))
