# SPDX-License-Identifier: MIT
import pathlib
import shutil
import tempfile

from ..lib.cluster import Cluster, stand_watched
from ..lib.contenders import OURS, built, start_daemon, start_redis
from ..lib.process import Load
from ..lib.row import Row, Section
from ..lib.rounds import alternate, note_rates, open_sides, stand

SUBSCRIBERS = 999
SERVERS = 3
PLAIN = f"{OURS[0]}, plain"
ALONE = [*OURS, PLAIN]
TOGETHER = [f"{name}, three servers" for name in ALONE]
UNIT = "deliveries for a CPU second"
DEPTHS = {"cluster-topic-1": 1, "cluster-topic-16": 16}
ROWS = (
    Row("cluster-topic-1", "topic to 999 pages, one event at once", UNIT, digits=0),
    Row("cluster-topic-16", "topic to 999 pages, 16 events at once", UNIT, digits=0),
    Row(
        "cluster-redis-1",
        "of redis, to three servers, one event at once",
        "µs of CPU for an event",
        better="less",
        digits=1,
    ),
    Row(
        "cluster-redis-16",
        "of redis, to three servers, 16 events at once",
        "µs of CPU for an event",
        better="less",
        digits=1,
    ),
)


def kind_of(name):
    if name == "redis":
        return "redis"
    return "ws" if "plain" in name else "session"


def load_for(name, depth, ports):
    options = f"--topic --text --kind {kind_of(name)} --depth {depth} --path /hub"
    return Load("load", *options.split(), "--connections", SUBSCRIBERS, *ports)


def load_cluster(name, depth, cluster):
    load = load_for(name, depth, cluster.ports)
    cluster.heard("t")
    return load


def make_side(name, depth, folder):
    more = {"units": SUBSCRIBERS, "step": depth}
    if name in TOGETHER:
        io = ", ".join(name.split(", ")[:2])
        return stand_watched(
            Cluster(io, folder, folder, SERVERS),
            lambda cluster: load_cluster(name, depth, cluster),
            lambda cluster: {"redis": cluster.broker},
            **more,
        )
    server = (
        start_redis() if name == "redis" else start_daemon(name.removesuffix(", plain"), folder)
    )
    return stand(server, lambda server: load_for(name, depth, [server.port]), **more)


def note_broker(bench, row, sides, costs):
    for name, own in costs.items():
        if name in TOGETHER:
            bench.note(row, name, [s * 1e6 for s in sides[name].of("redis", len(own))])


def measure_depth(bench, row, beside, folder):
    depth = DEPTHS[row.id]
    names = [*ALONE, *TOGETHER, "redis"]
    sides = open_sides(bench, [row], names, lambda name: make_side(name, depth, folder))
    try:
        costs = alternate(bench, row, sides, depth)
        note_rates(bench, row, costs)
        for each in beside:
            note_broker(bench, each, sides, costs)
    finally:
        for side in sides.values():
            side.stop()


def measure(bench, rows):
    """What the broker costs is of the same rounds as the deliveries."""
    by_id = {row.id: row for row in rows}
    with tempfile.TemporaryDirectory(prefix="httpsocket-bench-") as folder:
        shutil.copy(built("bench/program"), pathlib.Path(folder, "hub"))
        for topic in ROWS[:2]:
            beside = [by_id[id] for id in (topic.id.replace("topic", "redis"),) if id in by_id]
            if topic.id in by_id:
                measure_depth(bench, topic, beside, folder)


SECTION = Section(
    "cluster",
    "Topics over three servers",
    """The rows of topics, with 999 pages, beside three servers that share one redis-server as their
broker, with 333 pages each: the publisher's server hands each event to the broker, which numbers it
and announces it to all three. The CPU seconds are those of the three servers; what the broker
itself used in the same rounds is below. `redis` alone is PUBLISH to as many raw subscribers.""",
    ROWS,
    measure,
)
