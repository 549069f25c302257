#!/usr/bin/env python3
"""For clients of the plain form: echoes, and does what it is told."""
import os
import socket
import sys

os.write(1, b"\n")
connection = socket.socket(fileno=3)
page = connection.makefile("rb")
for line in page:
    if line.startswith(b"message @"):
        data = page.read(int(line[9:]))
        page.read(1)
        connection.sendall(b"message @%d\n" % len(data) + data + b"\n")
    elif line == b'message "numbers"\n':
        connection.sendall(b"message [1,2]\n")
    elif line == b'message "other"\n':
        connection.sendall(b"other 1\n")
    elif line == b'message "much"\n':
        connection.sendall(b'message "' + b"x" * ((1 << 20) + 1) + b'"\n')
    elif line == b'message "listen"\n':
        connection.sendall(b'.listen {"on":"click"}\n')
    elif line == b'message "exit"\n':
        sys.exit(0)
    elif line == b'message "fail"\n':
        sys.exit(1)
    elif line.startswith(b"message "):
        connection.sendall(line)
