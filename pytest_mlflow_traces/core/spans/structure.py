"""The exact structure of a trace in a few letters: what `Trace.to_pattern` says of it, as a hash."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import UNNAMED

if TYPE_CHECKING:
    from pytest_mlflow_traces.core.spans.table import SpanTable

_BYTES = 8


def structure_hash(table: SpanTable) -> str:
    """Return a hash of names, types, statuses and the tree, siblings in the order of their starts."""
    names = [None if name is UNNAMED else name for name in table.names]
    text = json.dumps([names, table.types, table.statuses, table.parents])  # ASCII, lone surrogates as escapes
    return blake2b(text.encode(), digest_size=_BYTES).hexdigest()
