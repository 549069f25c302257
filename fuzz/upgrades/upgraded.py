# SPDX-License-Identifier: MIT
"""upgraded.py - a server that was started by a link, which points to another file each time."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from page import Fault

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("HTTPSOCKET_BUILD", ROOT / "build")).resolve()
START_SECONDS = 60
SETTINGS = {
    "programs-max": "20000",
    "programs-per-client": "20000",
    "shared-per-client": "20000",
    **{f"rate-{what}": "off" for what in ("client", "origin", "programs", "lookups")},
    "goodbye-timeout": "10min",
    "attach-timeout": "10min",
    "ping-interval": "5s",
    "shared-idle": "2s",
    "memory-per-client": "1G",
    "topic-history": "20",
    "origin": "http://a.test:8000",
    "shared": "/many=4",
    "stdio": "/cat=cat",
    "admin": "127.0.0.1:0",
    "listen": "127.0.0.1:0",
}
GAUGES = ("sessions", "programs", "websockets", "shared_pages", "topics")


class Upgraded:
    def __init__(self, threads):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="httpsocket-upgrades-"))
        root = self.folder / "root"
        root.mkdir()
        for name in ("counter", "many"):
            shutil.copy(BUILD / "fuzz/fuzz_program_counter", root / name)
        shutil.copy(HERE / "board.py", root / "board")
        (root / "a.txt").write_text("static\n")
        self.log = open(self.folder / "log", "w+")
        self.file = self.folder / "httpsocketd"
        self.done = 0
        self._point(BUILD / "httpsocketd")
        args = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "abort_on_error=1")
        env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        self.process = subprocess.Popen(
            [self.file, "--threads", str(threads), *args, root],
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=env,
        )
        line = self.process.stdout.readline().decode()
        self.port = int(re.search(r":(\d+)$", line.strip())[1])
        self.admin = int(self.waits_for(r"admin\.listening.*address=\S+:(\d+)")[1])
        self.serving = self._find_serving()

    def _point(self, file):
        link = self.folder / "new"
        link.symlink_to(file)
        link.rename(self.file)

    def _children(self):
        tasks = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        return [int(pid) for pid in pathlib.Path(tasks).read_text().split()]

    def _find_serving(self):
        for pid in self._children():
            if pathlib.Path(f"/proc/{pid}/comm").read_text() == "httpsocketd-srv\n":
                return pid
        raise Fault("there is no serving process")

    def text(self):
        with open(self.folder / "log") as log:
            return log.read()

    def waits_for(self, pattern):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if found := re.search(pattern, self.text()):
                return found
            time.sleep(0.05)
        raise Fault(f"the server never said {pattern}")

    def asks_for_upgrade(self, to_next):
        other = BUILD / "tests/httpsocketd-next"  # where tests are built
        self._point(other if to_next and other.exists() else BUILD / "httpsocketd")
        self.seen = os.path.getsize(self.folder / "log")
        self.process.send_signal(signal.SIGUSR2)
        return time.monotonic()

    def is_upgraded(self):
        with open(self.folder / "log") as log:
            log.seek(self.seen)
            text = log.read()
        if found := re.search(r"takeover\.(refused|failed|page_lost).*|server\.crashed.*", text):
            raise Fault(f"the upgrade: {found[0]}")
        found = re.search(r"takeover\.done.* pause_ms=(\d+)", text)
        self.pause_ms = int(found[1]) if found else None
        return found

    def sizes(self):
        """RSS of the serving process and of the supervisor in KiB, descriptors."""
        if self._find_serving() != self.serving:
            raise Fault("the serving process is another one")

        def rss(pid):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

        descriptors = len(os.listdir(f"/proc/{self.serving}/fd"))
        return rss(self.serving), rss(self.process.pid), descriptors

    def settles(self):
        """All counts go to 0."""
        end = time.monotonic() + START_SECONDS
        while True:
            url = f"http://127.0.0.1:{self.admin}/metrics"
            text = urllib.request.urlopen(url, timeout=20).read().decode()
            left = {
                name: int(value)
                for name, value in re.findall(r"^httpsocket_(\w+) (\d+)$", text, re.M)
                if name in GAUGES and int(value)
            }
            if not left or list(left) == ["topics"]:
                return
            if time.monotonic() > end:
                raise Fault(f"without a client there are {left}")
            time.sleep(0.1)

    def ends(self):
        self.process.terminate()
        status = self.process.wait(START_SECONDS)
        text = self.text()
        if status or re.search(r"ERROR: \w+Sanitizer|runtime error:|server\.crashed", text):
            raise Fault(f"the server ended with status {status}:\n{text[-6000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
