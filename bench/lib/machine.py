# SPDX-License-Identifier: MIT
"""Where and when: the machine, its kernel and compiler, all versions, and who else was busy."""
import os
import pathlib
import re
import resource
import subprocess
import time

from .contenders import versions
from .process import CPUS, ROOT


def told(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    except OSError:
        return ""


def cpu_model():
    found = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return found[1].strip() if found else os.uname().machine


def memory_gib():
    kib = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]
    return round(int(kib) / 1048576)


def describe():
    system = re.search(r'PRETTY_NAME="([^"]+)"', pathlib.Path("/etc/os-release").read_text())
    dirty = " and changes" if told("git", "status", "--porcelain", "-uno", "src", "bench") else ""
    return {
        "cpu": cpu_model(),
        "cpus": len(CPUS),
        "memory_gib": memory_gib(),
        "kernel": f"Linux {os.uname().release}",
        "system": system[1] if system else "",
        "compiler": told("gcc", "--version").split("\n")[0],
        "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "commit": told("git", "rev-parse", "--short=10", "HEAD") + dirty,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "versions": versions(),
    }


def busy_seconds():
    """CPU time of the whole machine that was not idle, and of it what a host took away."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
    user, nice, system, _, _, irq, softirq, steal = (
        int(n) / os.sysconf("SC_CLK_TCK") for n in fields
    )
    return user + nice + system + irq + softirq + steal


def own_seconds():
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


class Meter:
    """`found`: the load average before and after, and how much of the CPUs others used."""

    def __enter__(self):
        self.before = os.getloadavg()[0]
        self.start = time.monotonic(), busy_seconds(), own_seconds()
        self.found = {}
        return self

    def __exit__(self, *_):
        seconds, busy, own = (
            now - then
            for now, then in zip((time.monotonic(), busy_seconds(), own_seconds()), self.start)
        )
        others = max(0.0, busy - own) / (seconds * len(CPUS))
        self.found["load"] = [round(self.before, 2), round(os.getloadavg()[0], 2)]
        self.found["others_percent"] = round(100 * others)
