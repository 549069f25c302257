# SPDX-License-Identifier: MIT
"""echo.py - an honest WebSocket client without a session, of a stdio program that echoes: each
line comes back once and in order, for as long as the connection lasts.
"""
import asyncio

from daemon import Finding
from line import Broken, Line, Plan
from session import Refused, switch
from websocket import TEXT, Closed, frame

LINES_MAX = 400


async def live(server, chance, path, source):
    """One connection; raises Finding."""
    plan = Plan(up=chance.below(20000), how="reset") if chance.percent(30) else Plan()
    sent, heard = [], 0
    try:
        line = await Line.open(server, chance, plan, source)
    except Broken:
        return
    try:
        messages = await switch(line, path)
        for _ in range(chance.size(LINES_MAX)):
            sent.append(f"{len(sent)} {'x' * chance.size(2000)}".encode())
            await line.send(frame(TEXT, sent[-1]))
            while len(sent) - heard > chance.below(30):
                _, data = await asyncio.wait_for(messages.next(), 60)
                if data != sent[heard]:
                    raise Finding(f"{path} echoed {data[:60]!r}, not {sent[heard][:60]!r}")
                heard += 1
    except (Broken, Refused, Closed):
        pass  # without a session a connection may end; what came was right
    except asyncio.TimeoutError:
        raise Finding(f"{path} did not echo line {heard} of {len(sent)} in 60 s") from None
    finally:
        line.end("close")
