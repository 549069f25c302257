# SPDX-License-Identifier: MIT
"""The request that a program was started for, from the environment of CGI/1.1 and from stdin."""
from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Mapping
from typing import Any


class Request:
    """Read when it is asked for: a program that wants no body leaves stdin alone."""

    def __init__(
        self, environment: Mapping[str, str] = os.environ, body: bytes | None = None
    ) -> None:
        self._environment = environment
        if body is not None:
            self.body = body

    def _of(self, name: str) -> str:
        return self._environment.get(name, "")

    @property
    def method(self) -> str:
        return self._of("REQUEST_METHOD")

    @property
    def uri(self) -> str:
        """Path and query as they were sent."""
        return self._of("REQUEST_URI")

    @property
    def script(self) -> str:
        """The program's own path in the site."""
        return self._of("SCRIPT_NAME")

    @property
    def path_info(self) -> str:
        """What follows the program in the path, decoded; begins with a slash if there is something."""
        return self._of("PATH_INFO")

    @property
    def address(self) -> str:
        return self._of("REMOTE_ADDR")

    @property
    def secure(self) -> bool:
        return self._of("HTTPS") == "on"

    @functools.cached_property
    def headers(self) -> dict[str, str]:
        """By name in lower case."""
        headers = {
            name[5:].replace("_", "-").lower(): value
            for name, value in self._environment.items()
            if name.startswith("HTTP_")
        }
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if name in self._environment:
                headers[name.replace("_", "-").lower()] = self._environment[name]
        return headers

    @functools.cached_property
    def cookies(self) -> dict[str, str]:
        pairs = (pair.partition("=") for pair in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip().strip('"') for name, sign, value in pairs if sign}

    @functools.cached_property
    def query(self) -> Fields:
        return Fields.parse(self._of("QUERY_STRING"))

    @functools.cached_property
    def body(self) -> bytes:
        return sys.stdin.buffer.read()

    @functools.cached_property
    def form(self) -> Fields:
        """The fields of a posted form, in either encoding; of a file its bytes are `files`."""
        kind = self._of("CONTENT_TYPE").partition(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded":
            return Fields.parse(self.body.decode("utf-8", "replace"))
        return Fields(
            *(
                [part for part in self._parts if not part[2]]
                if kind == "multipart/form-data"
                else []
            )
        )

    @functools.cached_property
    def files(self) -> list[File]:
        """The files of a form that was posted as multipart/form-data."""
        return [
            File(name, filename, kind, data)
            for name, data, filename, kind in self._parts
            if filename
        ]

    @functools.cached_property
    def json(self) -> Any:
        """The body as JSON; ValueError if it is none."""
        return json.loads(self.body)

    @functools.cached_property
    def _parts(self) -> list[tuple[str, Any, str, str]]:
        from email.parser import BytesParser
        from email.policy import HTTP

        head = f"Content-Type: {self._of('CONTENT_TYPE')}\r\n\r\n".encode(
            "utf-8", "surrogateescape"
        )
        parts = []
        for part in BytesParser(policy=HTTP).parsebytes(head + self.body).walk():
            name = part.get_param("name", header="content-disposition")
            if isinstance(name, str) and not part.is_multipart():
                data, filename = part.get_payload(decode=True) or b"", part.get_filename() or ""
                parts.append(
                    (
                        name,
                        data if filename else data.decode("utf-8", "replace"),
                        filename,
                        part.get_content_type(),
                    )
                )
        return parts


class Fields(dict):  # type: ignore[type-arg]
    """The fields of a form or a query: `fields["name"]` is the last value,
    `fields.all("name")` has all.
    """

    def __init__(self, *pairs: Any) -> None:
        super().__init__((pair[0], pair[1]) for pair in pairs)
        self._pairs = pairs

    @classmethod
    def parse(cls, text: str) -> Fields:
        from urllib.parse import parse_qsl

        return cls(*parse_qsl(text, keep_blank_values=True, errors="replace"))

    def all(self, name: str) -> list[str]:
        return [pair[1] for pair in self._pairs if pair[0] == name]


class File:
    """A posted file; its name is what the browser said, and no path to trust."""

    def __init__(self, field: str, name: str, type: str, data: bytes) -> None:
        self.field, self.name, self.type, self.data = field, name, type, data
