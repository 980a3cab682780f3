"""Conversations of several requests."""

from __future__ import annotations

NO_SESSION = "none"  # what the tag of a request outside of any session says
