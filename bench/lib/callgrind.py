# SPDX-License-Identifier: MIT
"""What a server under callgrind does between two points of time: instructions, system calls,
allocations. The kernel's instructions are not seen, nor are the server's children.
"""
import os
import pathlib
import re
import signal
import subprocess
import time

from .contenders import built, program

ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"}
PARTS = ("instructions", "calls", "allocations")


class Callgrind:
    """Give `how` to start_daemon(), then tell it the server by `attach`."""

    def __init__(self, folder):
        self.output = pathlib.Path(folder, "callgrind.out")
        options = "--tool=callgrind --collect-systime=yes -q".split()
        self.how = {
            "under": [program("valgrind"), *options, f"--callgrind-out-file={self.output}"],
            "env": {**os.environ, "LD_PRELOAD": str(built("bench/under_valgrind.so"))},
        }
        self.pid, self.dumps = None, 0

    def attach(self, server):
        self.pid = server.pid

    def count(self, work):
        """{part: number} of what the server does while `work` runs, less what it does when idle for
        as long.
        """
        began = time.monotonic()
        busy = self.during(work)
        seconds = time.monotonic() - began
        idle = self.during(lambda: time.sleep(seconds))
        return {part: busy[part] - idle[part] for part in PARTS}

    def kill(self):
        """It would wait for programs, whose ends it does not see."""
        os.kill(self.pid, signal.SIGKILL)

    def during(self, work):
        self.control("--zero")
        work()
        self.control("--dump")
        self.dumps += 1
        return read_profile(pathlib.Path(f"{self.output}.{self.dumps}").read_text())

    def control(self, what):
        command = [program("callgrind_control"), what, str(self.pid)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def read_profile(text):
    """Functions are named once; after that they are numbers."""
    totals = re.search(r"^totals: (\d+)(?: (\d+))?", text, re.M)
    names = dict(re.findall(r"^c?fn=(\(\d+\)) (\S+)", text, re.M))
    calls = re.findall(r"^cfn=(\(\d+\)).*\ncalls=(\d+)", text, re.M)
    return {
        "instructions": int(totals[1]),
        "calls": int(totals[2] or 0),
        "allocations": sum(int(n) for function, n in calls if names[function] in ALLOCATORS),
    }
