"""Exact texts of errors, for `pytest.raises(..., match=exactly("..."))`."""

from __future__ import annotations

import re


def exactly(message: str) -> str:
    """Return the regex that nothing but `message` matches."""
    return rf"\A{re.escape(message)}\Z"
