# SPDX-License-Identifier: MIT
"""The servers that benchmarks run: on a port and a CPU of their own; what
they cost, by the scheduler's clock.
"""
import os
import pathlib
import re
import resource
import socket
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("HTTPSOCKET_BENCH_BUILD", ROOT / "build"))
CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]
# All the load comes from one address.
NO_RATES = ["--rate-client", "off", "--rate-origin", "off", "--rate-programs", "off"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def raise_file_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pin(cpu):
    return lambda: os.sched_setaffinity(0, {cpu})


def serving_of(pid):
    """The process that serves: httpsocketd supervises a child that runs the same file."""
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if os.readlink(f"/proc/{child}/exe") == os.readlink(f"/proc/{pid}/exe"):
            return int(child)
    return pid


class Measured:
    """A process whose cost can be asked for, without that of its supervisor."""

    @property
    def pid(self):
        return serving_of(self.process.pid)

    def cpu_seconds(self):
        """User and system time of all its threads so far, in nanoseconds' resolution."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task")
        return (
            sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        )

    def own_memory(self):
        """Bytes of memory that are its own (not the kernel's, not shared files)."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return (
            sum(
                int(n)
                for n in re.findall(r"^Private_(?:Dirty|Clean|Hugetlb):\s+(\d+) kB", text, re.M)
            )
            * 1024
        )

    def start(self, name, command):
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=pin(SERVER_CPU),
        )
        line = self.process.stdout.readline()
        found = re.match(r"listening on \S+:(\d+)$", line)
        if not found:
            raise SystemExit(f"{name} does not start: {line!r}")
        self.port = int(found[1])

    def stop(self):
        self.process.terminate()
        self.process.wait()


class PageServer(Measured):
    """httpsocketd over a folder, with one worker."""

    def __init__(self, root):
        self.start(
            "httpsocketd",
            [
                str(BUILD / "httpsocketd"),
                "--listen",
                "127.0.0.1:0",
                "--threads",
                "1",
                "--log-level",
                "error",
                "--programs-max",
                "100000",
                "--programs-per-client",
                "100000",
                *NO_RATES,
                "--drain-timeout",
                "1s",
                root,
            ],
        )


class Server(Measured):
    COMMANDS = {
        "raw": [str(BUILD / "bench/raw_echo")],
        "httpsocket": [str(BUILD / "examples/echo")],
        "libwebsockets": [str(BUILD / "bench/lws_echo")],
        "ws": ["node", str(ROOT / "bench/ws_echo.mjs")],
    }

    def __init__(self, name):
        self.name = name
        self.start(name, [*self.COMMANDS[name], str(free_port())])


def present(name):
    """Whether a server can be run here: not built or not installed is no error."""
    program = Server.COMMANDS[name][-1] if name == "ws" else Server.COMMANDS[name][0]
    return pathlib.Path(program).exists() and (name != "ws" or (ROOT / "node_modules/ws").exists())
