"""The web's search service, as far as the agent can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import requests

from reference_agent.stubs.http import Reply, json_reply, stub_session

if TYPE_CHECKING:
    from collections.abc import Mapping

SEARCH_URL = "https://search.test/search"
RESULTS: Mapping[str, str] = {
    "Service status: all regions operational": "https://status.test/",
    "Release notes": "https://docs.test/release-notes",
}


class StubSearch:
    """A search service with two results, or one that is down."""

    def __init__(self, *, down: bool = False, results: Mapping[str, str] = RESULTS) -> None:
        self.down = down
        self.results = results

    def session(self) -> requests.Session:
        """Return a session on which the service is there."""
        session = requests.Session()
        stub_session(session, self._answer)
        return session

    def _answer(self, _: requests.PreparedRequest) -> Reply | Exception:
        if self.down:
            return requests.ConnectionError("the search service is down")
        return json_reply({"results": [{"title": title, "url": url} for title, url in self.results.items()]})
