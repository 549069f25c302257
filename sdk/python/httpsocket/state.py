# SPDX-License-Identifier: MIT
"""A page's state that outlives its program (docs/page-programs/state.md): when it is saved, and
which messages it covers. No descriptor and no clock in here.

From its first use on lines() has what is to be written at the end of each turn: `.save` if the
state has changed, and `.confirm` with how many messages are done, contiguous from the first. A
program that does not use it writes none of this.
"""
from __future__ import annotations

import sys
from typing import Any

from .wire import Message, line

REFUSALS_MAX = 16  # the log is told of so many
ANSWERS = ("answer", "part", "failure")


class State:
    def __init__(self, restoring: bool) -> None:
        self.value: Any = {}
        self.used = False
        self._restoring = restoring  # what the page has is still to come: nothing is saved before
        self._restored: dict[str, Any] = {}
        self._begun = False
        self._saved = b""  # nothing is, yet
        self._told = self._done = self._confirmed = self._resent = 0
        self._early: set[int] = set()  # done before one that was told before them
        self._complaint = ""
        self._refusals = 0
        self.closed = False  # nothing is saved any more

    def replace(self, value: Any) -> None:
        """The program has a new one; what JSON has no way to say raises at once."""
        _saved_form(value)
        self.value, self.used = value, True

    # ---- messages ----

    def numbered(self, message: Message) -> Message:
        """A message has been told; the server's own lines have no number."""
        if message.kind == "system":
            return message
        self._told += 1
        if message.kind in ANSWERS:  # whoever waits is the function of another message
            self.done(self._told)
        return message._replace(number=self._told)

    def is_resent(self, number: int) -> bool:
        return 0 < number <= self._resent

    def is_done(self, number: int) -> bool:
        return number <= self._done or number in self._early

    def done(self, number: int) -> None:
        self._early.add(number)
        while self._done + 1 in self._early:
            self._done += 1
            self._early.remove(self._done)

    # ---- what comes back ----

    def restored(self, message: Message) -> dict[str, Any] | None:
        """Takes a line of the server's. Gives what the program is told when the state is whole."""
        if message.name == ".restore":
            self._restored = {key: message.data[key] for key in ("why", "resent")}
            if message.data.get("bytes"):
                return None  # .state is next
            self.value = message.data["state"]
        elif message.name == ".state":
            self.value = message.data
        else:
            return None
        self._saved = _saved_form(self.value)
        self._resent = self._restored["resent"]
        self._restoring, self.used = False, True
        return self._restored

    # ---- what is written ----

    def lines(self, lead: str = "") -> bytes:
        """What is to be written now, all in one write; empty: nothing."""
        if not self.used or self._restoring or self.closed:
            return b""
        try:
            new = _saved_form(self.value)
        except (TypeError, ValueError) as error:
            self._complain(str(error))
            return b""  # nor is confirmed what only this state has
        except RuntimeError:  # another thread is changing it
            return b""
        self._complaint = ""
        head = lead.encode()
        parts = [head + b".confirm 0\n"] if not self._begun else []
        if new != self._saved:
            parts.append(head + new)
        if self._done != self._confirmed:
            parts.append(head + b".confirm %d\n" % self._done)
        self._begun, self._saved, self._confirmed = True, new, self._done
        return b"".join(parts)

    def note_problem(self, message: Message) -> None:
        """Says what to do with a state that the server has refused."""
        told = message.data
        if not isinstance(told, dict) or told.get("command") != "save":
            return
        self._refusals += 1
        if self._refusals <= REFUSALS_MAX:
            print(f"httpsocket: page.state: {told.get('message')}", file=sys.stderr)

    def _complain(self, why: str) -> None:
        if why != self._complaint:
            print(f"httpsocket: {why}; the state before it stays", file=sys.stderr)
        self._complaint = why


def _saved_form(value: Any) -> bytes:
    try:
        return line(".save", value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"page.state is not JSON: {error}") from None
