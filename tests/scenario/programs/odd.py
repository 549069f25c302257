#!/usr/bin/env python3
"""Programs that do something odd: the query says what. None of them leaves anything behind."""
import os
import signal
import socket
import subprocess
import sys
import time

PAGE = b"Content-Type: text/html\n\n<!doctype html><title>odd</title>\n"


def out(data):
    while data:
        data = data[os.write(1, data) :]


def events():
    return socket.socket(fileno=3).makefile("rwb", buffering=0)


def until_end_of_file():
    for _ in events():
        pass


def never_reads():
    out(PAGE)
    os.close(1)
    signal.pause()


def never_answers():
    signal.pause()


def rubbish():
    out(PAGE)
    os.write(3, b'ok {"n":1}\n\x01\x02 what is this?\n')
    until_end_of_file()


def half_line():
    out(PAGE)
    os.write(3, b'ok {"n":1}\nhalf {"n"')


def exits_early():
    pass


def exits_badly():
    sys.stderr.write("something went wrong\n")
    sys.exit(7)


def exits_with_words():
    out(PAGE)
    os.write(3, b'first 1\nsecond "2"\n')


def dies_in_the_answer():
    out(b"Content-Type: text/plain\nContent-Length: 1000\n\nhalf of it")
    os.kill(os.getpid(), signal.SIGSEGV)


def half_head():
    out(b"Content-Type: text/html\nX-Half")


def bad_head():
    out(b"Content-Type text/html\n\nx")


def forbidden_head():
    out(b"Transfer-Encoding: chunked\n\nx")


def huge_head():
    for i in range(4000):
        out(b"X-Header-%d: %s\n" % (i, b"x" * 100))
    out(b"\nx")


def slow_head():
    for byte in b"Content-Type: text/plain\r\nX-Slow: yes\r\n\r\nslow":
        out(bytes([byte]))
        time.sleep(0.005)


def too_long():
    out(b"Content-Type: text/plain\nContent-Length: 5\n\n12345and more that nobody asked for")
    until_end_of_file()


def too_short():
    out(b"Content-Type: text/plain\nContent-Length: 100\n\nonly this")


def held_open():
    out(b"Content-Type: text/plain\nContent-Length: 5\n\n12345")
    until_end_of_file()


def grandchildren():
    """The leader exits; one of its group holds every pipe and pays no heed to SIGTERM."""
    out(PAGE)
    subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], pass_fds=[3])


def escaped():
    """As above, but the grandchild, whose pid is the page's end, has left the group."""
    sleep = subprocess.Popen(["sleep", "30"], pass_fds=[3], start_new_session=True)
    out(PAGE + b"%d" % sleep.pid)


def ignores_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    out(PAGE)
    os.close(1)
    os.write(3, b"ready\n")
    while True:
        signal.pause()


def floods_stdout():
    out(b"Content-Type: application/octet-stream\n\n")
    block = bytes(65536)
    for _ in range(512):
        out(block)


def floods_stderr():
    out(PAGE)
    os.close(1)
    for i in range(8000):
        os.write(2, b"line %d %s\n" % (i, b"x" * 80))
    os.write(3, b"done\n")
    until_end_of_file()


def floods_events():
    out(PAGE)
    os.close(1)
    page = socket.socket(fileno=3).makefile("wb")
    for i in range(100000):
        page.write(b"n %d\n" % i)
    page.flush()
    page.close()
    until_end_of_file()


def closes_events():
    out(PAGE)
    os.close(1)
    os.write(3, b"last\n")
    os.close(3)
    signal.pause()


def closes_session():
    out(PAGE)
    os.close(1)
    os.write(3, b'bye 1\n.close {"reason":"game-over"}\n')
    until_end_of_file()


def wants_wings():
    out(PAGE)
    os.close(1)
    os.write(3, b'.fly {"to":"the moon"}\n')
    until_end_of_file()


def refuses():
    out(
        b'Status: 401 Unauthorized\nWWW-Authenticate: Basic realm="x"\nContent-Type: text/html\n'
        b"Access-Control-Max-Age: 90\n\n<!doctype html><p>no"
    )
    until_end_of_file()


def accepts():
    out(b"\n")
    for line in events():
        if not line.startswith(b"."):
            os.write(3, line)


def accepts_late():
    """Once a test says so by a signal."""
    os.write(2, b"waiting\n")
    signal.sigwait([signal.SIGUSR1])
    accepts()


def counts_body():
    out(b"Content-Type: text/plain\n\n%d" % len(sys.stdin.buffer.read()))


def redirects():
    out(b"Location: /elsewhere\n\n")


def streams():
    out(b"Content-Type: text/html\n\n<!doctype html><html><head></head>first ")
    page = events()
    for line in page:
        if line.startswith(b"go"):
            out(b"second")
            os.close(1)
            page.write(b"went %d\n" % os.getpid())


signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
what = os.environ["QUERY_STRING"]
globals()[what.replace("-", "_")]()
