"""Show docstrings as this project writes them: an example stands in the text, without a heading of its own."""

from __future__ import annotations

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Fence the examples of docstrings, and leave out the parameter that only catches misspelt keywords."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Mend one object after it was read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
        if isinstance(obj, griffe.Function) and "unknown" in obj.parameters:
            del obj.parameters["unknown"]


def fenced(text: str) -> str:
    """Put each run of lines that begins with a prompt, up to a blank line, into a fence."""
    lines: list[str] = []
    is_example = False
    for line in [*text.split("\n"), ""]:
        if not is_example and line.startswith(">>> "):
            lines.append("```pycon")
            is_example = True
        elif is_example and not line.strip():
            lines.append("```")
            is_example = False
        lines.append(line)
    return "\n".join(lines[:-1])
