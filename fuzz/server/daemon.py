# SPDX-License-Identifier: MIT
"""daemon.py - the server under test: its start, its settings, what it says, its end.

A `Finding` is whatever must not happen. The server's log is watched for them all the time.
"""
import asyncio
import collections
import os
import pathlib
import re
import signal
import time
import urllib.request

import settings

LOG_KEPT = 4000
# A crash that the supervisor has made good is a crash all the same.
FAULTS = re.compile(
    r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed"
    r"|Z error server\.(crashed|failed|stuck|gave_up|start_failed)"
    r"|Z (error|warning) takeover\.(failed|supervisor_failed|page_lost)"
)
REPORT_LINES = 70


IO = os.environ.get("HTTPSOCKET_IO")  # epoll or io_uring, as in tests/lib/server.mjs


class Finding(Exception):
    pass


class Daemon:
    def __init__(self, build, root, config, base):
        self.build, self.root, self.config, self.base = build, root, config, base
        self.log = collections.deque(maxlen=LOG_KEPT)
        self.faults = []
        self.ending = False
        self.disturbed_until = 0
        self.is_wild = False
        self.takeovers = 0  # that are over, those that were refused as well
        self.refused = 0
        self.port = self.admin_port = None

    # ---- start and end

    async def start(self, args, tls):
        self.tls = tls
        self.write_config(settings.text(settings.known(self.base)))
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=1:detect_leaks=1:quarantine_size_mb=32")
        env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        self.process = await asyncio.create_subprocess_exec(
            str(self.build / "httpsocketd"),
            *(["--io", IO] if IO else []),
            *("--config", str(self.config), "--listen", "127.0.0.1:0"),
            *("--admin", "127.0.0.1:0", *args, str(self.root)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            limit=1 << 24,
        )
        self.pid = self.process.pid
        self.reader = asyncio.create_task(self._read_log())
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), 60)
            self.port = int(re.search(rb":(\d+)$", line.strip())[1])
            self.out = asyncio.create_task(self.process.stdout.read())
            await self.until(lambda: self.admin_port, 30, "the admin listener")
        except (TypeError, asyncio.TimeoutError) as error:
            raise Finding("it did not start:\n" + "\n".join(self.log)) from error

    async def _read_log(self):
        while line := await self.process.stderr.readline():
            shown = line.decode("utf-8", "replace").rstrip("\n")
            self.log.append(shown)
            if found := re.search(r"admin\.listening.*address=\S+:(\d+)", shown):
                self.admin_port = int(found[1])
            if "program.stderr" in shown:
                continue
            if FAULTS.search(shown):
                self.faults.append(shown)
            if found := re.search(r"Z \w+ takeover\.(done|refused)", shown):
                self.takeovers += 1
                self.refused += found[1] == "refused"
                if found[1] == "refused" and self.was_calm(time.monotonic() - 20):
                    self.faults.append(shown)

    @property
    def alive(self):
        return self.process.returncode is None

    async def drain(self, seconds):
        """SIGTERM; it is to exit 0."""
        self.ending = True
        self.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        try:
            code = await asyncio.wait_for(self.process.wait(), seconds)
        except asyncio.TimeoutError:
            raise Finding(f"still draining after {seconds:.0f} s") from None
        await asyncio.wait([self.reader], timeout=10)
        self.check()
        if code != 0:
            raise Finding(f"the drain ended with status {code}")
        return time.monotonic() - began

    async def kill(self):
        self.ending = True
        if self.alive:
            self.process.kill()
            await self.process.wait()
        await asyncio.wait([self.reader], timeout=5)

    def check(self):
        if self.faults:
            raise Finding("the server reports: " + self.faults[0])
        if not self.alive and not self.ending:
            raise Finding(f"the server has ended with {self.process.returncode}")

    def report(self):
        """The sanitizer's report if there is one, else the last lines."""
        lines = list(self.log)
        at = next((i for i, line in enumerate(lines) if FAULTS.search(line)), None)
        return lines[-60:] if at is None else lines[max(0, at - 25) : at + REPORT_LINES]

    # ---- settings

    def write_config(self, text):
        """In one step: a server that reads half of it would have defaults, for minutes."""
        temporary = self.config.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(self.config)

    def reload(self, values, wild):
        self.is_wild = wild
        self.disturbed_until = time.monotonic()
        self.write_config(settings.text(settings.known(values)))
        if self.alive:
            self.process.send_signal(signal.SIGHUP)

    def upgrade(self):
        """SIGUSR2: the program file is executed anew, in the place of this one."""
        if self.alive:
            self.process.send_signal(signal.SIGUSR2)

    def was_calm(self, since):
        """Whether nothing but the base settings was in force since then."""
        return not self.is_wild and self.disturbed_until < since and not self.ending

    # ---- what is to be seen of it

    def processes(self):
        """Its own processes: the supervising and the serving one."""
        found = [self.pid]
        for pid in found:
            for child in children(pid):
                if name_of(child).startswith("httpsocketd"):
                    found.append(child)
        return found

    def programs(self):
        own = self.processes()
        return [child for pid in own for child in children(pid) if child not in own]

    def descriptors(self):
        count = 0
        for pid in self.processes():
            try:
                count += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                pass
        return count

    def open_files(self):
        files = collections.Counter()
        for pid in self.processes():
            for one in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
                try:
                    files[re.sub(r"\d{2,}", "N", os.readlink(one))] += 1
                except OSError:
                    pass
        return dict(files)

    async def _administers(self, path):
        def ask():
            url = f"http://127.0.0.1:{self.admin_port}{path}"
            return urllib.request.urlopen(url, timeout=20).read().decode()

        return await asyncio.to_thread(ask)

    async def sessions(self):
        """A line each, for a finding; HOLD=1 leaves the server running for a debugger."""
        if "HOLD" in os.environ:
            print(f"held: process {self.pid}", flush=True)
            await asyncio.sleep(3600)
        return await self._administers("/sessions")

    async def metrics(self):
        text = await self._administers("/metrics")
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line[:1] not in ("#", ""))
        return {name.removeprefix("httpsocket_"): float(value) for name, value in rows}

    async def until(self, holds, seconds, what):
        end = time.monotonic() + seconds
        while not holds():
            self.check()
            if time.monotonic() > end:
                raise Finding(f"in {seconds:.0f} s not: {what() if callable(what) else what}")
            await asyncio.sleep(0.05)


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            pass
    return found


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
