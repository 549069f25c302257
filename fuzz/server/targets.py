# SPDX-License-Identifier: MIT
"""targets.py - what TCPConnections lead to: one that echoes, and those that don't behave."""
import asyncio
import random
import socket
import ssl
import struct
import subprocess
import pathlib

ADDRESS = "127.0.0.2"


async def _echo(reader, writer, chance):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _reset(reader, writer, chance):
    if chance.random() < 0.5:
        await reader.read(1 + chance.randrange(2000))
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def _stall(reader, writer, chance):
    await asyncio.sleep(chance.random() * 20)


async def _half_close(reader, writer, chance):
    writer.write(b"x" * chance.randrange(50000))
    writer.write_eof()
    await asyncio.sleep(chance.random() * 2)
    while await reader.read(65536):
        await asyncio.sleep(0.001)


async def _flood(reader, writer, chance):
    for _ in range(chance.randrange(400)):
        writer.write(chance.randbytes(60000))
        await writer.drain()
        if chance.random() < 0.1:
            await asyncio.sleep(0.05)


async def _garbage(reader, writer, chance):
    await reader.read(1000)
    writer.write(b"\x16\x03\x03" + chance.randbytes(chance.randrange(3000)))
    await writer.drain()
    await asyncio.sleep(chance.random())


async def _half_and_gone(reader, writer, chance):
    writer.write(await reader.read(100))
    await writer.drain()


KINDS = {
    "echo": _echo,
    "reset": _reset,
    "stall": _stall,
    "half-close": _half_close,
    "flood": _flood,
    "garbage": _garbage,
    "half": _half_and_gone,
}


def certificate(folder, name="a.test"):
    """Files of a key and a certificate of its own."""
    key, cert = pathlib.Path(folder) / f"{name}.key", pathlib.Path(folder) / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-keyout", str(key), "-out", str(cert), "-days", "2", "-subj", f"/CN={name}"]
        + ["-addext", f"subjectAltName=DNS:{name},DNS:good.test,DNS:*.good.test"],
        check=True,
        capture_output=True,
    )
    return key, cert


class Targets:
    """`ports[KIND]`; also `tls`, which echoes over TLS, `deaf`, where nobody accepts, and
    `closed`, where nobody is.
    """

    def __init__(self, seed):
        self.chance = random.Random(f"{seed}/targets")
        self.servers, self.ports, self.tasks = [], {}, set()

    async def start(self, key, cert):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        for kind, serve in KINDS.items():
            await self._listen(kind, serve)
        await self._listen("tls", _echo_tls, ssl=context, ssl_handshake_timeout=5)
        self.deaf = socket.socket()
        self.deaf.bind((ADDRESS, 0))
        self.deaf.listen(0)
        self.ports["deaf"] = self.deaf.getsockname()[1]
        closed = socket.socket()
        closed.bind((ADDRESS, 0))
        self.ports["closed"] = closed.getsockname()[1]
        closed.close()

    async def _listen(self, kind, serve, **more):
        async def accept(reader, writer):
            self.tasks.add(asyncio.current_task())
            try:
                await serve(reader, writer, self.chance)
            except (OSError, ssl.SSLError, asyncio.CancelledError):
                pass
            finally:
                self.tasks.discard(asyncio.current_task())
                writer.close()

        server = await asyncio.start_server(accept, ADDRESS, 0, **more)
        self.servers.append(server)
        self.ports[kind] = server.sockets[0].getsockname()[1]

    async def stop(self):
        for server in self.servers:
            server.close()
        self.deaf.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.sleep(0)


async def _echo_tls(reader, writer, chance):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
