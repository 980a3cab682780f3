"""What a trace refers to by MLflow's attachments, put back where the code gave it.

MLflow moves the content of `data:` URIs and of its own `Attachment` out of a span, and leaves a reference with two
random ids (`mlflow-attachment://...`, since 3.11): of one content in two runs, the values would never be equal.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = "mlflow-attachment://"


def with_contents(value: Any, attachments: Mapping[str, Any]) -> Any:
    """Return a value with the `data:` URI of each attachment of its span in the place of the reference to it."""
    if isinstance(value, dict):
        return {key: with_contents(each, attachments) for key, each in value.items()}
    if isinstance(value, list):
        return [with_contents(each, attachments) for each in value]
    if not isinstance(value, str) or not value.startswith(_REFERENCE):
        return value
    found = attachments.get(value[len(_REFERENCE) :].partition("?")[0])
    if found is None:
        return value
    return f"data:{found.content_type};base64,{base64.b64encode(found.content_bytes).decode()}"
