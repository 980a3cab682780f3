"""Answers for the HTTP of one session, given by `responses` and seen by nobody else.

`responses` usually patches every session of the process, which would also catch what MLflow sends to its tracking
server. Mounted on one session it needs no patch, no start and no stop.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import responses
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

_ANYTHING = re.compile(".*")

Reply = tuple[int, dict[str, str], str]


class StubAdapter(HTTPAdapter):
    """Takes the place of the connection to the network."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        super().__init__()
        self._mock = mock
        self._send = mock.unbound_on_send()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Answer instead of sending."""
        try:
            return self._send(self, request, *args, **kwargs)
        finally:
            # `responses` keeps every call for assertions that nobody makes here; an agent may run for long.
            self._mock.calls.reset()
            for answered in self._mock.registered():
                answered.calls.reset()


def stub_session(session: requests.Session, answer: Callable[[requests.PreparedRequest], Reply | Exception]) -> None:
    """Let `answer` speak for every host this session turns to."""
    mock = responses.RequestsMock(assert_all_requests_are_fired=False)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        mock.add_callback(method, _ANYTHING, callback=answer, content_type=None)
    for scheme in ("https://", "http://"):
        session.mount(scheme, StubAdapter(mock))


def json_reply(body: Any, *, status: int = 200, **headers: str) -> Reply:
    """Return a JSON response."""
    headers = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return status, headers, json.dumps(body)
