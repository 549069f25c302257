# SPDX-License-Identifier: MIT
"""Who is measured: how each is started, whether it is there, and which version it is.

A contender is started by its name: `start("libwebsockets", "echo")`. What is not there raises
Absent, and the table says so.
"""
import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from .process import BUILD, ROOT, Server, free_port

# All the load comes from one address, and is as much as goes.
WIDE = """--log-level error --threads 1 --no-supervisor --drain-timeout 1s --attach-timeout 1h
--rate-client off --rate-origin off --rate-programs off --rate-handshakes off --programs-max 100000
--programs-per-client 100000 --shared-per-client 1000000 --connections-per-client 1000000
--connections-max 1000000 --sessions-max 1000000 --memory-max 16G --memory-per-client 16G
--idle-timeout 10min""".split()

OURS = ["ours, epoll", "ours, io_uring"]
IO = {"ours, epoll": "epoll", "ours, io_uring": "io_uring"}


class Absent(Exception):
    """It is not installed, not built, or can't do this: the text is for the table."""


def program(name):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise Absent("not installed")
    return path


def built(name):
    path = BUILD / name
    if not path.exists():
        raise Absent("not built")
    return path


@functools.cache
def knows_io(path):
    """Whether a program of ours has the option `io`."""
    told = subprocess.run(
        [path, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return "--io" in told.stdout + told.stderr


def io_of(path, name):
    """What tells it which backend to use."""
    if knows_io(path):
        return ["--io", IO[name]]
    if IO[name] != "epoll":
        raise Absent("no option io")
    return []


# ---- echo, and a topic that is nothing but sending to all ----


def start_echo(name, topic=False, threads=1, cpus=None, buffer=2048):
    """`buffer`: of raw io_uring, as is best for the load."""
    topics = ["--topic"] if topic else []
    if name in OURS:
        path = built("examples/echo")
        return Server([path, "--threads", str(threads), *io_of(path, name), "0"], cpus)
    if name == "raw epoll":
        return Server([built("bench/raw_echo"), *topics], cpus)
    if name == "raw io_uring":
        path = built("bench/raw_uring_echo")
        return Server([path, *topics, "--buffer", str(buffer)], cpus)
    if name == "libwebsockets":
        return Server([built("bench/lws_echo"), *topics, str(free_port())], cpus)
    if name == "ws":
        if not (ROOT / "node_modules/ws").exists():
            raise Absent("not installed")
        return Server([program("node"), ROOT / "bench/ws_echo.mjs", *topics, "0"], cpus)
    raise Absent("is no echo server")


def start_redis():
    port = free_port()
    options = f"--port {port} --bind 127.0.0.1 --save --appendonly no --maxclients 100000"
    folder = tempfile.gettempdir()
    words = options.split()
    words.insert(words.index("--save") + 1, "")
    return Server([program("redis-server"), *words, "--dir", folder], port=port)


# ---- pages and files ----


def start_daemon(name, root, *more, cpus=None, wide=True, under=(), **options):
    """httpsocketd over a folder, with one worker. `under`: the command that runs it."""
    path = built("httpsocketd")
    command = [*under, path, "--listen", "127.0.0.1:0", *(WIDE if wide else []), *io_of(path, name)]
    return Server([*command, *more, root], cpus, **options)


NGINX = """daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
  include /etc/nginx/mime.types; access_log off; sendfile on; tcp_nopush on;
  keepalive_requests 100000000; keepalive_timeout 600;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""
LIGHTTPD = """server.document-root = "{root}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-connections = 8000
server.max-fds = 16000
server.listen-backlog = 4096
mimetype.assign = ( ".html" => "text/html", ".txt" => "text/plain" )
"""


def write_config(text, **fields):
    folder = tempfile.mkdtemp(prefix="httpsocket-bench-")
    path = pathlib.Path(folder, "config")
    path.write_text(text.format(folder=folder, **fields))
    return path


def start_files(name, root):
    if name in OURS:
        return start_daemon(name, root)
    port = free_port()
    if name == "nginx":
        config = write_config(NGINX, port=port, root=root)
        return Server([program("nginx"), "-c", config, "-p", config.parent], port=port)
    if name == "lighttpd":
        config = write_config(LIGHTTPD, port=port, root=root)
        return Server([program("lighttpd"), "-D", "-f", config], port=port)
    raise Absent("serves no files")


# ---- versions ----

VERSIONS = {
    "libwebsockets": ["pkg-config", "--modversion", "libwebsockets"],
    "liburing": ["pkg-config", "--modversion", "liburing"],
    "node": ["node", "--version"],
    "nginx": ["nginx", "-v"],
    "lighttpd": ["lighttpd", "-v"],
    "redis": ["redis-server", "--version"],
    "socat": ["socat", "-V"],
    "haproxy": ["haproxy", "-v"],
    "websockify": ["dpkg-query", "-W", "-f", "${Version}", "websockify"],
    "websocketd": ["dpkg-query", "-W", "-f", "${Version}", "websocketd"],
    "chromium": ["chromium", "--version"],
    "firefox": ["firefox-esr", "--version"],
}


def version(command):
    try:
        told = subprocess.run(
            [program(command[0]), *command[1:]], capture_output=True, text=True, timeout=30
        )
    except (Absent, subprocess.TimeoutExpired):
        return "not installed"
    found = re.search(r"\d+(\.\d+)+", told.stdout + told.stderr)
    return found[0] if found else "not installed"


def versions():
    found = {name: version(command) for name, command in VERSIONS.items()}
    package = ROOT / "node_modules/ws/package.json"
    there = re.search(r'"version": "([^"]+)"', package.read_text()) if package.exists() else None
    return {**found, "ws": there[1] if there else "not installed"}
