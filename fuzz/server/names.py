# SPDX-License-Identifier: MIT
"""names.py - a name server that lies, cuts short, delays or keeps silent, and is honest for some.

`good.test` and names below it have a record that allows everything, at 127.0.0.2 and 127.0.0.3,
which consent. Every other name is answered as the dice fall.
"""
import asyncio
import random
import socket
import struct

A, NS, CNAME, SOA, PTR, TXT, AAAA = 1, 2, 5, 6, 12, 16, 28
ALLOW = "v=sa1; allow=*; port=*"
FACES = (
    *("good", "good", "deny", "flip", "silence", "late", "truncated", "refused", "failure"),
    *("nothing", "absent", "wrong-id", "wrong-question", "loop", "chain", "garbage", "half"),
    *("empty", "large", "many", "own", "lies", "pointer", "zero"),
)


def question_of(message):
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin1").lower())
        at += message[at] + 1
    (kind,) = struct.unpack("!H", message[at + 1 : at + 3])
    return ".".join(labels), kind, message[12 : at + 5]


def name_bytes(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def txt(text):
    data = text.encode("latin1")
    return b"".join(
        bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data) or 1, 255)
    )


def row(kind, data, ttl=5, owner=b"\xc0\x0c"):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def answer(message, question, rows, flags=0x8180):
    head = message[:2] + struct.pack("!HHHHH", flags, 1, len(rows), 0, 0)
    return head + question + b"".join(rows)


class Names:
    def __init__(self, seed):
        self.chance = random.Random(f"{seed}/names")
        self.asked = 0
        self.later = set()

    async def start(self):
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setblocking(False)
        while True:
            self.udp.bind(("127.0.0.1", 0))
            self.port = self.udp.getsockname()[1]
            try:
                self.tcp = await asyncio.start_server(self._stream, "127.0.0.1", self.port)
                break
            except OSError:
                self.udp.close()
                self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.udp.setblocking(False)
        self.task = asyncio.create_task(self._datagrams())

    async def stop(self):
        self.task.cancel()
        self.tcp.close()
        for task in list(self.later):
            task.cancel()
        await asyncio.sleep(0)
        self.udp.close()

    # ---- the way of a question

    async def _datagrams(self):
        loop = asyncio.get_running_loop()
        while True:
            message, sender = await loop.sock_recvfrom(self.udp, 4096)
            task = asyncio.create_task(self._reply(message, sender))
            self.later.add(task)
            task.add_done_callback(self.later.discard)

    async def _reply(self, message, sender):
        reply = await self._answer(message, True)
        if reply is not None:
            try:
                self.udp.sendto(reply, sender)
            except OSError:
                pass

    async def _stream(self, reader, writer):
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                reply = await self._answer(await reader.readexactly(length), False)
                if reply is None:
                    break
                data = struct.pack("!H", len(reply)) + reply
                if self.chance.random() < 0.1:
                    data = data[: self.chance.randrange(len(data))]
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, message, is_udp):
        self.asked += 1
        try:
            name, kind, question = question_of(message)
        except (IndexError, struct.error):
            return None
        host = name.removeprefix("_script-access.")
        if host == "good.test" or host.endswith(".good.test"):
            return answer(message, question, self._honest(name, kind, host))
        if host in ("2.0.0.127.in-addr.arpa", "3.0.0.127.in-addr.arpa"):
            if kind == TXT:
                return answer(message, question, [row(TXT, txt("v=sa1; host=*; port=*"))])
            return answer(message, question, [row(PTR, name_bytes("good.test"))])
        return await self._face(
            self.chance.choice(FACES), message, name, kind, host, question, is_udp
        )

    # ---- what it says

    def _honest(self, name, kind, host, ttl=5, record=ALLOW):
        if kind == TXT and name.startswith("_script-access."):
            return [row(TXT, txt(record), ttl)]
        if kind == A and name == host:
            return [
                row(A, bytes((127, 0, 0, 2 + n)), ttl)
                for n in range(2 if host == "two.good.test" else 1)
            ]
        return []

    async def _face(self, face, message, name, kind, host, question, is_udp):
        chance = self.chance
        good = self._honest(name, kind, host)
        if face == "silence":
            return None
        if face == "late":
            await asyncio.sleep(chance.random() * 4)
        if face == "deny":
            good = self._honest(name, kind, host, record="v=sa1; deny=*")
        if face == "flip":
            good = self._honest(
                name, kind, host, 0, chance.choice((ALLOW, "v=sa1; deny=*", "v=sa1"))
            )
        if face == "truncated" and is_udp:
            return answer(message, question, [], 0x8380)
        if face in ("refused", "failure", "absent"):
            code = {"refused": 5, "failure": 2, "absent": 3}[face]
            return answer(message, question, [], 0x8180 | code)
        if face == "nothing":
            good = []
        if face == "wrong-id":
            return bytes(2) + answer(message, question, good)[2:]
        if face == "wrong-question":
            return answer(message, name_bytes("x.test") + question[-4:], good)
        if face == "loop":
            good = [row(CNAME, b"\xc0\x0c")]
        if face == "chain":
            good = [row(CNAME, name_bytes(f"n{chance.randrange(99)}.{host[:60]}"))]
        if face == "garbage":
            return message[:2] + chance.randbytes(chance.randrange(600))
        if face == "half":
            whole = answer(message, question, good)
            return whole[: chance.randrange(len(whole))]
        if face == "empty":
            return b""
        if face == "large":
            text = "v=sa1; allow=*; port=*; note=" + "x" * chance.randrange(1400)
            good = [row(TXT, txt(text))] * (1 if is_udp else 9)
        if face == "many":
            good = [row(kind, txt(ALLOW) if kind == TXT else bytes((127, 0, 0, 2)))] * 30
        if face == "own":
            good = [row(A, bytes((127, 0, 0, 1)))] if kind == A else good
        if face == "lies":
            good = [row(chance.randrange(300), chance.randbytes(chance.randrange(60)))]
        if face == "pointer":
            good = [b"\xc0\xff" + row(kind, b"\xc0\x0c")[2:]]
        if face == "zero":
            good = self._honest(name, kind, host, 0)
        return answer(message, question, good)
