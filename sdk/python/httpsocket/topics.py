# SPDX-License-Identifier: MIT
"""Topics that programs of one server share (docs/page-programs/topics.md), as a program sees them."""
from __future__ import annotations

from typing import Any

from .handlers import Function, Handlers
from .wire import NOTHING, checked_name


class Topic:
    """A subscription. As a decorator it takes the function that hears the events: {"event", "data",
    "from", "seq", "time", …}.
    """

    def __init__(self, page: TopicCommands, handlers: Handlers, name: str) -> None:
        self._page, self._handlers, self.name = page, handlers, name

    def __call__(self, function: Function) -> Function:
        return self._handlers._of_topic(".topic", self.name, function)

    def presence(self, function: Function) -> Function:
        """Decorates what hears who is there: {"here"}, or {"joined", "left"}."""
        return self._handlers._of_topic(".presence", self.name, function)

    def subscribed(self, function: Function) -> Function:
        """Decorates what hears that it has begun: {"id", "seq"}."""
        return self._handlers._of_topic(".subscribed", self.name, function)

    def publish(self, event: str, data: Any = NOTHING, *, keep: bool | None = None) -> Any:
        return self._page.publish(self.name, event, data, keep=keep)

    def stop(self) -> Any:
        return self._page.unsubscribe(self.name)


class TopicCommands:
    """The part of a page that is about topics."""

    def _post(self, head: str, data: Any = NOTHING) -> Any:
        raise NotImplementedError

    def _functions(self) -> Handlers:
        raise NotImplementedError

    def subscribe(
        self,
        topic: str,
        *,
        history: int | None = None,
        last: bool = False,
        presence: Any = NOTHING,
        watch: bool = False,
        self_: bool = True,
        to: str | None = None,
    ) -> Topic:
        """Hears what is published in the topic. `presence`: be there for others, who are shown
        this; `self_=False`: not what is our own; `to="page"`: it goes straight to the page."""
        options = {
            "topic": topic,
            "history": history,
            "last": last or None,
            "watch": watch or None,
            "self": None if self_ else False,
            "to": to,
        }
        said = {key: value for key, value in options.items() if value is not None}
        self._post(".subscribe", said if presence is NOTHING else {**said, "presence": presence})
        return Topic(self, self._functions(), topic)

    def unsubscribe(self, topic: str) -> Any:
        self._functions()._forget_topic(topic)
        return self._post(".unsubscribe", {"topic": topic})

    def publish(
        self, topic: str, event: str, data: Any = NOTHING, *, keep: bool | None = None
    ) -> Any:
        """An event for all that are subscribed to the topic. `keep=True`: it
        is the topic's last value.
        """
        more = {
            **({} if data is NOTHING else {"data": data}),
            **({} if keep is None else {"keep": keep}),
        }
        return self._post(".publish", {"topic": topic, "event": checked_name(event), **more})
