#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""without_io_uring.py COMMAND ...: executes it where io_uring is forbidden, as in many containers:
by a seccomp filter that lets io_uring_setup(2) fail with EPERM.
"""
import ctypes
import os
import struct
import sys

IO_URING_SETUP = 425  # on every architecture
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_NUMBER, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, EPERM = 0x7FFF0000, 0x00050001

program = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in [
        (LOAD_NUMBER, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
)
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(program)
filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
    PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0
):
    sys.exit(f"without_io_uring: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
