# SPDX-License-Identifier: MIT
import os
import pathlib
import signal
import statistics
import tempfile

from ..lib.contenders import OURS, Absent, built, program, start_daemon
from ..lib.process import BUILD, LIBC, LOAD_CPU, PR_SET_CHILD_SUBREAPER, Failed, Process, Server
from ..lib.process import free_port, prepare, running
from ..lib.row import Row, Section

import subprocess

UNIT = "÷ socat"
KINDS = {"socat": "tcp", "haproxy": "tcp", "websockify": "ws"}
NAMES = ["socat", *OURS, "haproxy", "websockify"]
# id: direction (down: from the target to the page), streams
SHAPES = {"tunnel-down-1": ("d", 1), "tunnel-down-10": ("d", 10), "tunnel-up-10": ("u", 10)}
ROWS = (
    Row("tunnel-down-1", "bytes from a target to a page, 1 stream", UNIT),
    Row("tunnel-down-10", "bytes from a target to a page, 10 streams", UNIT),
    Row("tunnel-up-10", "bytes from a page to a target, 10 streams", UNIT),
)
HAPROXY = """global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen tunnel
  bind 127.0.0.1:{port}
  server target 127.0.0.1:{target}
"""


def start(name, target, folder):
    if name in OURS:
        options = f"--origin http://bench.test --self-ports {target}".split()
        return start_daemon(name, folder / "root", *options)
    port = free_port()
    if name == "socat":
        here = f"TCP-LISTEN:{port},fork,reuseaddr,bind=127.0.0.1"
        return Server([program("socat"), here, f"TCP:127.0.0.1:{target}"], port=port)
    if name == "haproxy":
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, target=target))
        return Server([program("haproxy"), "-q", "-db", "-f", config], port=port)
    command = [program("websockify"), f"127.0.0.1:{port}", f"127.0.0.1:{target}"]
    return Server(command, port=port)


def end(server):
    """CPU seconds of it and its children, which are ours when it is gone."""
    running.discard(server)
    os.killpg(server.pid, signal.SIGTERM)
    spent = 0
    while True:
        try:
            _, _, used = os.wait4(-server.pid, 0)
        except ChildProcessError:
            server.process.returncode = 0
            server.process.stdout.close()
            return spent
        spent += used.ru_utime + used.ru_stime


def transfer(name, target, folder, direction, streams, size):
    """CPU seconds of a server for so many bytes of each stream, from its start to its end."""
    server = start(name, target, folder)
    try:
        told = subprocess.run(
            [BUILD / "bench/tunnel", KINDS.get(name, "session"), str(server.port), str(target)]
            + [direction, str(streams), str(size)],
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=prepare(LOAD_CPU),
        )
    except subprocess.TimeoutExpired:
        raise Failed("the transfer did not end") from None
    finally:
        spent = end(server)
    if told.returncode:
        raise Failed(told.stderr.strip().split("\n")[-1] or "the transfer failed")
    return spent


def cost(name, target, folder, shape, mib):
    """Of a byte: what the same without bytes costs is taken off."""
    direction, streams = shape
    size = mib * 1048576 // streams // (16 if name == "websockify" else 1)  # it is so slow
    bytes_cost = transfer(name, target, folder, direction, streams, size)
    bytes_cost -= transfer(name, target, folder, direction, streams, 1)
    return max(bytes_cost, 1e-4) / (size * streams)


def measure(bench, rows):
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    mib = 256 if bench.quick else 1024
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "root").mkdir()
        target = Process([built("bench/tunnel_target")], LOAD_CPU, stdout=subprocess.PIPE)
        port = int(target.line().rsplit(":", 1)[1])
        try:
            for row in rows:
                measure_row(bench, row, port, folder, mib)
        finally:
            target.stop()


def measure_row(bench, row, port, folder, mib):
    costs = {name: [] for name in NAMES if bench.wants(name)}
    for _ in range(min(bench.rounds, 5)):
        for name in list(costs):
            try:
                costs[name].append(cost(name, port, folder, SHAPES[row.id], mib))
            except (Absent, Failed) as why:
                bench.absent(row, name, str(why))
                del costs[name]
    base = costs.pop("socat", None)
    if not base:
        return
    bench.note_base(row, "socat, bytes", 1 / statistics.median(base))
    for name, own in costs.items():
        bench.note(row, name, [b / c for b, c in zip(base, own)])


SECTION = Section(
    "tunnel",
    "Bytes of a page's TCP connections",
    """The same bytes through each, from the target to the page and back. socat and haproxy frame
nothing and have one connection a stream; websockify has one WebSocket a stream; httpsocketd carries
all streams in one session, and they survive a lost line. CPU of the server and its children, from
start to end, less what the same costs without bytes: above 1 is cheaper than socat.""",
    ROWS,
    measure,
)
