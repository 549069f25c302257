# SPDX-License-Identifier: MIT
"""round.py - one server, from its start to its end, and all who work on it meanwhile."""
import asyncio
import base64
import os
import pathlib
import shutil
import tempfile
import time

import echo
import settings
from chance import Chance
from daemon import Daemon, Finding
from honest import HonestPage, Over
from hostile import Guests, Hostile
from line import Broken, Line
from names import Names
from session import HOST
from stateful import StatefulPage
from targets import Targets, certificate

HOSTILE_CLIENTS = 60
HONEST_PAGES = 10
HONEST_PATHS = ("/counter", "/counter", "/many")
STATEFUL_PAGES = 6
STATEFUL_PATHS = (
    *(f"/keeper?{how}" for how in ("", "k", "lk", "c", "ck", "bk", "cblk")),
    "/keepers",
)
PROBE_SECONDS = 30  # for a fresh client to be answered, at any time
LONGEST_MS = 8000  # a setting, if counts are to go to 0 at the end
REPORT_SECONDS = 4  # that a sanitizer takes to tell all
TAKEOVER_SECONDS = 90  # from the signal to its outcome: takeover-timeout, and a start
DESCRIPTORS_MORE = 12  # than at the beginning, when all have left
SETTLE_SECONDS = 60  # from the last client until all counts are 0
DRAIN_SECONDS = 60
ABSENCE_SECONDS = 6  # after which a page's session may be gone
GAUGES = (
    *("connections", "programs", "sessions", "websockets", "shared_pages", "streams"),
    *("session_unacknowledged_bytes", "topic_subscriptions", "memory_bytes", "spooled_bytes"),
)

# Calm: an honest page is disturbed by none of these. Timeouts are short, so that what was left
# behind is let go while the round lasts.
BASE = {
    "programs-max": "400",
    "programs-per-client": "400",
    "rate-programs": "off",
    "rate-client": "off",
    "rate-origin": "off",
    "rate-lookups": "off",
    "rate-handshakes": "off",
    "attach-timeout": "8s",
    "detach-timeout": "8s",
    "goodbye-timeout": "1s",
    "answer-timeout": "10s",
    "eof-grace": "300ms",
    "term-grace": "500ms",
    "head-timeout": "10s",
    "body-timeout": "4s",
    "idle-timeout": "5s",
    "write-timeout": "8s",
    "ping-interval": "1s",
    "shared-idle": "5s",
    "drain-timeout": "10s",
    "tcp-connect-timeout": "3s",
    "tcp-idle-timeout": "8s",
    "topic-linger": "1s",
    "presence-grace": "500ms",
    "takeover-timeout": "1s",
    "private": '{"127.0.0.0/8"}',
    "shared": '{"/named", "/many", "/keepers"}',
    "stdio-files": '{"/stdio"}',
    "stdio": '{"/echo=cat"}',
    "policy": "dns",
}
# No program is to be a terminal's for longer than its visitor stays, and names are not to be asked
# of others.
FIXED_CHOICES = {"threads": ("1", "2", "2", "4"), "log-level": ("info", "info", "debug")}


class Round:
    def __init__(self, seed, build, seconds, patience=1.0, calm_only=False):
        self.chance = Chance(seed)
        self.seed, self.build, self.seconds, self.patience = seed, build, seconds, patience
        self.calm_only = calm_only
        self.over = False
        self.lives = self.cuts = self.expired = 0
        self.answers = self.restores = self.repeats = 0
        self.longest_answer = self.longest_takeover = 0.0

    # ---- set-up

    def _make_root(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="httpsocket-fuzz-"))
        root = self.folder / "root"
        root.mkdir()
        for name in ("counter", "many", "keeper", "keepers"):
            shutil.copy(self.build / "fuzz/fuzz_program_counter", root / name)
        for name in ("hostile", "named", "declares", "stdio"):
            shutil.copy(self.build / "fuzz/fuzz_program_hostile", root / name)
        (root / "index.html").write_text("<!doctype html><title>x</title>")
        (root / "large.bin").write_bytes(bytes(8 << 20))
        (self.folder / "tokens").write_text("t" * 20 + "\n")
        return root

    async def _start(self):
        self.root = self._make_root()
        key, cert = await asyncio.to_thread(certificate, self.folder)
        self.names, self.targets = Names(self.seed), Targets(self.seed)
        await self.names.start()
        await self.targets.start(key, cert)
        args = ["--dns", f"127.0.0.1:{self.names.port}", "--dns-anchor", "none"]
        for name, choices in FIXED_CHOICES.items():
            args += [f"--{name}", self.chance.pick(*choices)]
        tls = self.chance.percent(30)
        if tls:
            args += ["--tls-cert", str(cert), "--tls-key", str(key)]
        for origin in ("http://a.test:8000", "http://good.test:8000"):
            args += ["--origin", origin]
        args += ["--publish-token", str(self.folder / "tokens"), "--tcp-ca", str(cert)]
        if self.chance.percent(15):
            args.append("--dev")
        self.args = args
        (self.folder / "state.key").write_text(base64.b64encode(bytes(32)).decode() + "\n")
        (self.folder / "state.key").chmod(0o600)
        args += ["--state-key", str(self.folder / "state.key")]
        self.drains_at_work = self.chance.percent(40)
        self.server = Daemon(self.build, self.root, self.folder / "conf", BASE)
        self.server.absence_seconds = ABSENCE_SECONDS
        await self.server.start(args, tls)
        self.descriptors = self.descriptors_left = self.server.descriptors()
        self.chance.note(f"started {' '.join(args)}")

    # ---- who works on it

    async def _hostile(self, number):
        one = Hostile(self.server, self.chance.child(f"hostile{number}"), self.guests, self.targets)
        await one.run(lambda: self.over or self.server.ending)

    async def _honest(self, number):
        source = f"127.0.0.{200 + number}"
        for life in range(1 << 30):
            if self.over or self.server.ending:
                return
            chance = self.chance.child(f"honest{number}.{life}")
            path = chance.pick(*HONEST_PATHS)
            page = self.pages[number] = HonestPage(
                self.server, chance, path, 50 + chance.size(3000), source
            )
            if chance.percent(50):
                page.opens_stream(self._stream_request(chance), chance.size(400000))
            page.on_welcome = self.guests.see_honest
            try:
                await page.live()
                self.lives += 1
            except Over as why:
                chance.history.ends[f"honest: {why}"[:70]] += 1
                self.expired += 1
            finally:
                del self.pages[number]
                self.cuts += max(0, page.connections - 1)
            await asyncio.sleep(chance.random() * 0.3)

    async def _stateful(self, number):
        source = f"127.0.0.{220 + number}"
        for life in range(1 << 30):
            if self.over or self.server.ending:
                return
            chance = self.chance.child(f"stateful{number}.{life}")
            path = chance.pick(*STATEFUL_PATHS)
            total = 20 + chance.size(500)
            page = self.pages[f"s{number}"] = StatefulPage(self.server, chance, path, total, source)
            page.on_welcome = self.guests.see_honest
            try:
                await page.live()
                self.lives += 1
            except Over as why:
                chance.history.ends[f"stateful: {why}"[:70]] += 1
                self.expired += 1
            finally:
                del self.pages[f"s{number}"]
                self.restores += page.restores
                self.repeats += (page.report or {}).get("repeats", 0)
            await asyncio.sleep(chance.random() * 0.3)

    def _stream_request(self, chance):
        if chance.percent(50):
            return {"kind": "stream", "name": "upload", "data": None}
        kind = chance.pick("echo", "echo", "tls")
        request = {"kind": "tcp", "host": "good.test", "port": self.targets.ports[kind]}
        return {**request, "secure": True} if kind == "tls" else request

    async def _echo(self):
        for life in range(1 << 30):
            if self.over or self.server.ending:
                return
            chance = self.chance.child(f"echo.{life}")
            await echo.live(self.server, chance, "/echo", "127.0.0.240")
            await asyncio.sleep(chance.random() * 0.2)

    async def _probe(self):
        """A fresh client, again and again: it is answered."""
        chance = self.chance.child("probe")
        while not self.over:
            began = time.monotonic()
            await self._is_answered(chance)
            took = time.monotonic() - began
            self.longest_answer = max(self.longest_answer, took)
            if took > PROBE_SECONDS * self.patience and not self.server.ending:
                raise Finding(f"a fresh client was answered after {took:.1f} s")
            self.answers += 1
            await asyncio.sleep(0.3)

    async def _is_answered(self, chance):
        end = time.monotonic() + PROBE_SECONDS * self.patience
        why = "?"
        while time.monotonic() < end and not self.server.ending:
            began = time.monotonic()
            try:
                line = await Line.open(self.server, chance, source="127.0.0.250")
                try:
                    await line.send(f"GET /index.html HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
                    status, _, _ = await asyncio.wait_for(line.head(), end - time.monotonic())
                finally:
                    line.close()
                if status != 200 and self.server.was_calm(began - 2):
                    raise Finding(f"a file of a fresh client is answered by {status}")
                return
            except (Broken, asyncio.TimeoutError) as error:
                why = repr(error)
                self.server.check()
                if "Errno 111" in why and not self.server.ending:
                    raise Finding("a connection was refused") from None
                await asyncio.sleep(0.2)
        if not self.server.ending:
            raise Finding(f"a fresh client is not answered: {why}")

    async def _reload(self):
        """Some seconds of calm, some seconds of settings that are changed up and down."""
        chance = self.chance.child("reload")
        longest = 0 if self.drains_at_work else LONGEST_MS
        while not self.over and not self.server.ending:
            await self._sleep(2 + chance.random() * 6)
            for _ in range(chance.below(8)):
                if self.over or self.server.ending:
                    return
                values = settings.wild(chance, BASE, self.root, longest)
                changed = {n: v for n, v in values.items() if BASE.get(n) != v}
                chance.note(f"reload {settings.text(changed)!r}"[:600])
                self.server.reload(values, wild=True)
                if chance.percent(10):
                    self.server.write_config("nonsense = {")
                await self._sleep(chance.random() * chance.pick(0.05, 0.5, 2))
            self.server.reload(BASE, wild=False)
            await self._sleep(chance.random() * 2)

    async def _upgrade(self):
        """SIGUSR2 in the midst of everything, now and then twice, or with a reload."""
        chance = self.chance.child("upgrade")
        while not self.over and not self.server.ending:
            await self._sleep(chance.random() * chance.pick(0.2, 1, 4))
            if self.over or self.server.ending:
                return
            chance.note("upgrade")
            began, before = time.monotonic(), self.server.takeovers
            self.server.upgrade()
            if chance.percent(15):
                await self._sleep(chance.random() * chance.pick(0.1, 1))
                self.server.upgrade()
            end = began + TAKEOVER_SECONDS * self.patience
            while self.server.takeovers == before and not self.server.ending:
                if time.monotonic() > end:
                    raise Finding(f"a take-over was not over in {time.monotonic() - began:.0f} s")
                await asyncio.sleep(0.1)
            self.longest_takeover = max(self.longest_takeover, time.monotonic() - began)

    async def _touch(self):
        chance = self.chance.child("touch")
        while not self.over:
            await self._sleep(1 + chance.random() * 4)
            os.utime(self.root / chance.pick("hostile", "named", "keeper", "keepers", "stdio"))

    async def _sleep(self, seconds):
        end = time.monotonic() + seconds
        while not self.over and time.monotonic() < end:
            await asyncio.sleep(0.1)

    async def _watch(self):
        while not self.over:
            self.server.check()
            await asyncio.sleep(0.1)

    # ---- the round

    async def run(self):
        await self._start()
        self.guests, self.pages = Guests(), {}
        tasks = [
            asyncio.create_task(self._hostile(n), name=f"hostile{n}")
            for n in range(HOSTILE_CLIENTS)
        ]
        tasks += [
            asyncio.create_task(self._honest(n), name=f"honest{n}") for n in range(HONEST_PAGES)
        ]
        tasks += [
            asyncio.create_task(self._stateful(n), name=f"stateful{n}")
            for n in range(STATEFUL_PAGES)
        ]
        tasks += [asyncio.create_task(self._probe()), asyncio.create_task(self._watch())]
        tasks.append(asyncio.create_task(self._echo(), name="echo"))
        if not self.calm_only:
            tasks.append(asyncio.create_task(self._reload()))
        if "--dev" in self.args or not self.calm_only:
            tasks.append(asyncio.create_task(self._touch()))
        if "--dev" not in self.args and not self.calm_only:
            tasks.append(asyncio.create_task(self._upgrade(), name="upgrade"))
        try:
            done, _ = await asyncio.wait(
                tasks, timeout=self.seconds, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if self.drains_at_work:
                await self._drains(tasks)
            else:
                await self._settles(tasks)
        finally:
            self.over = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.server.faults:
                await asyncio.sleep(REPORT_SECONDS)
            await self.server.kill()
            await self.names.stop()
            await self.targets.stop()
        self._leaves_nothing()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _drains(self, tasks):
        """SIGTERM while all are at work."""
        if self.chance.percent(40):
            self.chance.note("upgrade before the drain")
            self.server.upgrade()
            await asyncio.sleep(self.chance.random() * self.chance.pick(0, 0.1, 2))
        self.chance.note("drain under load")
        await self.server.drain(DRAIN_SECONDS * self.patience)
        self.over = True

    async def _settles(self, tasks):
        """All leave; the counts go to 0, and then the server ends."""
        self.over = True
        self.chance.note("settle")
        self.server.reload(BASE, wild=False)
        done, late = await asyncio.wait(
            tasks, timeout=90 * self.patience, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            task.result()
        if late:
            names = sorted(task.get_name() for task in late)
            stories = [page.describe() for page in self.pages.values()]
            sessions = await self.server.sessions()
            raise Finding("\n".join([f"clients are not over: {names}", *stories, sessions]))
        await self._counts_are_zero()
        await self._descriptors_are_few()
        took = await self.server.drain(DRAIN_SECONDS * self.patience)
        if took > 30 * self.patience:
            raise Finding(f"a drain without sessions took {took:.1f} s")

    async def _counts_are_zero(self):
        end = time.monotonic() + SETTLE_SECONDS * self.patience
        while True:
            self.server.check()
            metrics = await self.server.metrics()
            left = {name: metrics[name] for name in GAUGES if metrics.get(name)}
            if "--dev" in self.args:
                left.pop("topic_subscriptions", None)  # the console's own
            left.update(
                {name: n for name, n in metrics.items() if n and name.startswith("tcp_connections")}
            )
            if programs := self.server.programs():
                left["processes"] = programs
            if not left:
                return
            if time.monotonic() > end:
                sessions = await self.server.sessions()
                raise Finding(f"after {SETTLE_SECONDS} s without a client: {left}\n{sessions}")
            await asyncio.sleep(0.2)

    async def _descriptors_are_few(self):
        most = self.descriptors + DESCRIPTORS_MORE
        end = time.monotonic() + SETTLE_SECONDS * self.patience
        while (now := self.server.descriptors()) > most:
            if time.monotonic() > end:
                raise Finding(
                    f"{now} descriptors, {self.descriptors} at the beginning, after"
                    f" {self.server.takeovers} take-overs: {self.server.open_files()}"
                )
            await asyncio.sleep(0.2)
        self.descriptors_left = now

    def _leaves_nothing(self):
        left = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                exe = os.readlink(process / "exe")
            except OSError:
                continue
            if exe.startswith(str(self.folder)):
                left.append(f"{process.name} {exe}")
        if left:
            raise Finding(f"processes are left: {left}")
