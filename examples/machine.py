#!/usr/bin/env python3
"""Load, memory and the busiest processes of the machine that serves this page, once a second."""
import os
import pathlib

from httpsocket import page

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The machine</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>The machine, live</h1>
<p class="soft">One Python program reads <code>/proc</code> once a second and tells its page.</p>
<h2>Processor <span id="cpu"></span></h2>
<canvas id="cpu-chart" width="960" height="160"></canvas>
<h2>Memory <span id="memory"></span></h2>
<canvas id="memory-chart" width="960" height="160"></canvas>
<h2>Busiest processes</h2>
<table><thead><tr><th>pid</th><th>name</th><th>processor</th><th>memory</th></tr></thead><tbody
  id="top"></tbody></table>
<script src="machine.js"></script>
"""


class Machine:
    """Reads /proc; each call of sample() tells of the time since the one before."""

    def __init__(self):
        self.ticks = os.sysconf("SC_CLK_TCK")
        self.page_bytes = os.sysconf("SC_PAGE_SIZE")
        self.busy, self.total = self._cpu()
        self.times = {}

    @staticmethod
    def _cpu():
        fields = [
            int(n) for n in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
        ]
        return sum(fields) - fields[3] - fields[4], sum(fields)

    def _processes(self):
        times, rows = {}, []
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            try:
                stat = pathlib.Path(entry.path, "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            name = stat[stat.index("(") + 1 : stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2 :].split()
            times[entry.name] = int(fields[11]) + int(fields[12])
            used = times[entry.name] - self.times.get(entry.name, times[entry.name])
            rows.append(
                {
                    "pid": int(entry.name),
                    "name": name,
                    "cpu": used / self.ticks,
                    "memory": int(fields[21]) * self.page_bytes,
                }
            )
        self.times = times
        return sorted(rows, key=lambda row: (-row["cpu"], -row["memory"]))[:8]

    def sample(self):
        busy, total = self._cpu()
        share = (busy - self.busy) / max(1, total - self.total)
        self.busy, self.total = busy, total
        info = dict(
            line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines()
        )
        kib = {key: int(info[key].split()[0]) for key in ("MemTotal", "MemAvailable")}
        return {
            "cpu": share,
            "load": os.getloadavg(),
            "memory": {
                "total": kib["MemTotal"] * 1024,
                "used": (kib["MemTotal"] - kib["MemAvailable"]) * 1024,
            },
            "top": self._processes(),
        }


machine = Machine()


@page.attached
def at_once(_):
    sample()


@page.every(1)
def sample():
    page.send("sample", machine.sample())


page.show(PAGE)
page.run()
