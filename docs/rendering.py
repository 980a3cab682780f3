"""Show pages and docstrings as this project writes them: what is said to the tests, or to GitHub, is taken out."""

from __future__ import annotations

import re
from typing import Any

import griffe


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fix one page: a block that raises or needs Spark is Python, and a bar in a table's code needs no backslash."""
    page = re.sub(r"^```python (raises|spark)$", "```python", markdown, flags=re.MULTILINE)
    return re.sub(r"^\|.*", lambda row: re.sub(r"`[^`]*`", _unescaped, row[0]), page, flags=re.MULTILINE)


def _unescaped(code: re.Match[str]) -> str:
    return code[0].replace("\\|", "|")


class Examples(griffe.Extension):
    """Fence the examples of docstrings, and leave out the parameter that only catches misspelt keywords."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fix one object after it was read."""
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
