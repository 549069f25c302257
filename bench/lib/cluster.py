# SPDX-License-Identifier: MIT
"""Several servers of ours that share one redis-server: what they cost is the sum of theirs; what
the broker costs is kept apart.
"""
import base64
import itertools
import os
import pathlib
import socket
import time

from .contenders import start_daemon, start_redis
from .process import PATIENCE, Failed
from .rounds import Side

numbers = itertools.count(1)


class Cluster:
    """`broker`: one that is there, and stays. Pairs with Side, as a server does."""

    def __init__(self, io, root, folder, count, *more, broker=None, **options):
        self.own_broker = None if broker else start_redis()
        self.broker = broker or self.own_broker
        self.name = f"bench-{os.getpid()}-{next(numbers)}"
        self.servers = []
        try:
            for _ in range(count):
                self.servers.append(start_daemon(io, root, *self.shares(folder), *more, **options))
            self.wait_for("HLEN", f"{self.name}:servers", count)
            self.wait_for("EXISTS", f"{self.name}:fence", 0)  # of a broker that is new to them
        except Exception:
            self.stop()
            raise

    def shares(self, folder):
        key = pathlib.Path(folder, "cluster-key")
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(base64.b64encode(os.urandom(32)) + b"\n")
        where = f"redis://127.0.0.1:{self.broker.port}"
        options = f"--broker {where} --cluster-name {self.name} --cluster-listen 127.0.0.1:0"
        return [*options.split(), "--cluster-key", key]

    @property
    def ports(self):
        return [server.port for server in self.servers]

    def cpu_seconds(self):
        return sum(server.cpu_seconds() for server in self.servers)

    def heard(self, topic):
        """Waits until each server hears the topic."""
        self.wait_for("PUBSUB", "NUMSUB", f"{self.name}:c:{topic}", len(self.servers))
        time.sleep(0.5)  # what it asked for then is answered

    def wait_for(self, *words_and_number):
        """Until the broker's answer ends in the number."""
        *words, number = words_and_number
        until = time.monotonic() + PATIENCE
        with socket.create_connection(("127.0.0.1", self.broker.port)) as s:
            while time.monotonic() < until:
                s.sendall(" ".join(words).encode() + b"\r\n")
                if s.recv(4096).endswith(b":%d\r\n" % number):
                    return
                time.sleep(0.02)
        raise Failed(f"not {number}: {' '.join(words)}")

    def stop(self):
        for server in self.servers:
            server.stop()
        if self.own_broker:
            self.own_broker.stop()


class WatchedSide(Side):
    """A side that notes, too, what each of `watched` ({name: process}) costs in CPU seconds for one
    of the load's work.
    """

    def __init__(self, server, load, watched, **more):
        super().__init__(server, load, **more)
        self.watched = watched
        self.notes = []

    def cost(self):
        before = {name: process.cpu_seconds() for name, process in self.watched.items()}
        cost = super().cost()
        self.notes.append(
            {
                name: (process.cpu_seconds() - before[name]) / self.work
                for name, process in self.watched.items()
            }
        )
        return cost

    def of(self, name, rounds):
        """Of the last rounds; what came before was to calibrate."""
        return [note[name] for note in self.notes[-rounds:]]


def stand_watched(cluster, make_load, watched, **more):
    """As stand()."""
    try:
        return WatchedSide(cluster, make_load(cluster), watched(cluster), **more)
    except Exception:
        cluster.stop()
        raise
