# SPDX-License-Identifier: MIT
"""stream.py - a byte stream of an honest page (docs/protocol.md, section 10), to something that
echoes: the page's program, or a TCP target.

All bytes have to come back once and in order, over any number of connections. Bytes go out by
`say`, a function of the connection.
"""
import json
import struct

from daemon import Finding

OPEN, OPENED, DATA, STATE, END, RESET, GONE = range(1, 8)
WINDOW = 40000
PIECE_MAX = 20000


class Stream:
    def __init__(self, chance, number, request, total):
        self.chance, self.number, self.request = chance, number, request
        self.bytes = chance.randbytes(total)
        self.opened = self.over = False
        self.reset = None  # why it was refused or broken off
        self.acknowledged = 0  # of ours, with the END
        self.limit = 0
        self.heard = 0  # of theirs, with the END
        self.granted = self.told = 0
        self.at = None  # what goes out next on this connection; None: their STATE has not come
        self.resuming = False

    def describe(self):
        return (
            f"stream {self.number} {self.request}: {len(self.bytes)} bytes, opened {self.opened},"
            f" acknowledged {self.acknowledged}, limit {self.limit}, at {self.at},"
            f" heard {self.heard} of {self.granted}, reset {self.reset}"
        )

    def _frame(self, kind, rest=b""):
        return struct.pack("!BI", kind, self.number) + rest

    def attached(self, kept):
        """The frame that this stream begins a connection with, to a server that keeps so many bytes
        until a STATE says that they have come.
        """
        self.at = None
        self.told_after = min(WINDOW, kept) // 4
        if self.opened:
            return self._state()
        return self._frame(OPEN, json.dumps(self.request).encode())

    def _state(self):
        self.told = self.heard
        self.granted = max(self.granted, min(self.heard, len(self.bytes)) + WINDOW)
        return self._frame(STATE, struct.pack("!QQ", self.heard, self.granted))

    def more(self):
        """The frames that may go out now."""
        frames = []
        while self.at is not None and self.at < len(self.bytes):
            n = min(
                self.limit - self.at, 1 + self.chance.size(PIECE_MAX), len(self.bytes) - self.at
            )
            if n <= 0:
                return frames
            frames.append(self._frame(DATA, self.bytes[self.at : self.at + n]))
            self.at += n
        if self.at == len(self.bytes):
            self.at += 1
            frames.append(self._frame(END))
        return frames

    def hear(self, kind, rest):
        """The frames that answer this one."""
        if kind == OPENED:
            self.opened = True
            return [self._state()]
        if kind == STATE:
            return self._hear_state(*struct.unpack("!QQ", rest))
        if kind == DATA:
            return self._hear_bytes(rest)
        if kind == END:
            if self.heard != len(self.bytes):
                raise Finding(f"the end after {self.heard} bytes; {self.describe()}")
            self.heard += 1
            self._conclude()
            return [self._state()]
        if kind == RESET:
            self.reset, self.over = json.loads(rest)["reason"], True
            return [self._frame(GONE)]
        if kind == GONE:
            if self.heard <= len(self.bytes) or self.at != len(self.bytes) + 1:
                self.reset = "stream-gone"
            self.over = True
            return []
        raise Finding(f"a frame of kind {kind}")

    def _hear_state(self, received, limit):
        most = len(self.bytes) + 1 if self.at is None else self.at
        if not self.acknowledged <= received <= most or limit < self.limit:
            raise Finding(f"STATE {received} {limit}; {self.describe()}")
        self.acknowledged, self.limit = received, limit
        if self.at is None:
            self.at = received
        self._conclude()
        return self.more()

    def _hear_bytes(self, data):
        due = self.bytes[self.heard : self.heard + len(data)]
        if due != data:
            raise Finding(f"{len(data)} other bytes than were sent; {self.describe()}")
        if self.heard + len(data) > self.granted:
            raise Finding(f"{len(data)} bytes above what was granted; {self.describe()}")
        self.heard += len(data)
        return [self._state()] if self.heard - self.told >= self.told_after else []

    def _conclude(self):
        whole = len(self.bytes) + 1
        self.over = self.over or (self.acknowledged == whole and self.heard == whole)
