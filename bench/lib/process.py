# SPDX-License-Identifier: MIT
"""The processes of a benchmark: servers on one CPU, generators of load on another; what a server
costs, by the scheduler's clock. None outlives the benchmark.
"""
import atexit
import ctypes
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("HTTPSOCKET_BENCH_BUILD", ROOT / "build"))
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = {CPUS[0]}, {CPUS[-1]}
PATIENCE = 60 * int(os.environ.get("HTTPSOCKET_PATIENCE", "1"))
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

running = set()


class Failed(Exception):
    """A server or a generator did not do what it has to: the text says what."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def prepare(cpus):
    def in_child():
        os.setsid()
        os.sched_setaffinity(0, cpus)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return in_child


class Process:
    """One that ends with us."""

    def __init__(self, command, cpus, **more):
        self.process = subprocess.Popen(
            list(map(str, command)),
            preexec_fn=prepare(cpus),
            **{"stderr": subprocess.DEVNULL, **more},
        )
        self.pid = self.process.pid
        running.add(self)

    def cpu_seconds(self):
        """User and system time of all its threads, also of those that have ended: its clock."""
        return time.clock_gettime((~self.pid << 3) | 2)

    def line(self, seconds=PATIENCE):
        """The next line of its stdout, '' at the end."""
        text = b""
        until = time.monotonic() + seconds
        while not text.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[
                0
            ]:
                raise Failed("nothing came in time")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                break
            text += byte
        return text.decode()

    def stop(self):
        if self not in running:
            return
        running.discard(self)
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            try:
                os.killpg(self.pid, number)
                self.process.wait(seconds)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


class Server(Process):
    """A server that listens on loopback: it says where in its first line, or was told `port`."""

    def __init__(self, command, cpus=None, port=None, **more):
        super().__init__(command, cpus or SERVER_CPU, stdout=subprocess.PIPE, **more)
        self.port = port or self.said_port(command)
        if port:
            self.wait_until_it_listens(command)

    def said_port(self, command):
        found = re.search(r"listening on \S+:(\d+)$", self.line())
        if not found:
            self.stop()
            raise Failed(f"{command[0]} does not start")
        return int(found[1])

    def wait_until_it_listens(self, command):
        hexed = f":{self.port:04X} 00000000:0000 0A"
        for _ in range(PATIENCE * 100):
            if hexed in pathlib.Path("/proc/net/tcp").read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        raise Failed(f"{command[0]} does not start")

    def own_memory(self):
        """Bytes of memory that are its own (not the kernel's, not shared files)."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = re.findall(r"^Private_(?:Dirty|Clean|Hugetlb):\s+(\d+) kB", text, re.M)
        return sum(map(int, found)) * 1024


class Load(Process):
    """A generator: its connections stand when it is made; `run` is for so much work."""

    def __init__(self, program, *arguments, cpus=None, **more):
        super().__init__(
            [BUILD / "bench" / program, *arguments],
            cpus or LOAD_CPU,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **more,
        )
        if self.line() != "ready\n":
            raise Failed(self.complaint())

    def complaint(self):
        self.process.wait(PATIENCE)
        text = self.process.stderr.read().decode(errors="replace").strip().split("\n")[-1]
        self.stop()
        return text.removeprefix("load: ") or "the generator ended"

    def begin(self, work):
        try:
            self.process.stdin.write(f"{work}\n".encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(self.complaint()) from None

    def end(self):
        """The numbers that it prints: work done, seconds, and more."""
        line = self.line(3 * PATIENCE)
        if not line:
            raise Failed(self.complaint())
        return [float(n) for n in line.split()]

    def run(self, work):
        self.begin(work)
        done = self.end()
        return done


def stop_all():
    for process in list(running):
        process.stop()


def stop_on_signal(number, _):
    stop_all()
    os._exit(128 + number)


atexit.register(stop_all)
for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(each, stop_on_signal)
