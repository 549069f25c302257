#!/usr/bin/env python3
"""What a program is given, as JSON."""
import hashlib
import json
import os
import signal
import sys

body = sys.stdin.buffer.read()
descriptors = sorted(
    int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")
)
answer = {
    "env": dict(os.environ),
    "arguments": sys.argv[1:],
    "directory": os.getcwd(),
    "own_group": os.getpgrp() == os.getpid(),
    "descriptors": descriptors,
    "socket": os.readlink("/proc/self/fd/3").startswith("socket:"),
    "blocked_signals": [s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "length": len(body),
    "sha256": hashlib.sha256(body).hexdigest(),
}
print("Content-Type: application/json\n")
print(json.dumps(answer))
