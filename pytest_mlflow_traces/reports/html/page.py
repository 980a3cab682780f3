"""The page itself: a template, a script and a style, all in one file, under a policy that lets nothing else run.

A page has a limit, since somebody has to open it. What fails comes first, whole; of the rest, the values that spans
recorded are left out first, then the spans, then the tests; the page says how much is left out, and of which tests.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_mlflow_traces.core.spans.records import printable
from pytest_mlflow_traces.core.text.counts import capped, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LIMIT = 10_000_000  # bytes
_ELEMENT = 80  # around one part
_POLICY = "default-src 'none'; script-src {script}; style-src {style}; base-uri 'none'; form-action 'none'"
_NAME, _NAMES = 100, 15  # of tests of which something is left out
_NOTES = 100_000  # at most, for what stands at the top, a character of it an escape
PARTS = ("entry", "spans", "values")


@dataclass(frozen=True, slots=True)
class Head:
    """What stands at the top of a page: the verdict, the counts, and what else a reader must know."""

    title: str
    totals: str
    failed: bool
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The three parts of one test, wherever they are kept until the page is written."""

    name: str
    failed: bool
    has_findings: bool
    sizes: tuple[int, int, int]
    read: Callable[[int], str]


def page(head: Head, tests: Sequence[Kept], limit: int = LIMIT) -> Iterator[str]:
    """Yield the page in pieces, those tests first that failed, of these those with findings."""
    from jinja2 import Environment
    from markupsafe import Markup

    source, style, script = map(_resource, ("page.html.j2", "page.css", "page.js"))
    ordered = sorted(tests, key=lambda test: (not test.failed, not test.has_findings))
    shown = _fitted(ordered, limit - len(source) - len(style) - len(script) - _NOTES)

    def parts(which: int) -> Iterator[tuple[str, str]]:
        there = [(test, count) for test, count in zip(ordered, shown, strict=True) if count]
        for k, (test, count) in enumerate(there):
            if count > which:
                yield f"{PARTS[which]}-{k}", Markup(test.read(which))  # noqa: S704  # JSON in which nothing is markup

    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    yield from template.generate(
        title=printable(head.title),
        totals=printable(head.totals),
        failed=head.failed,
        notes=[printable(note[:2_000]) for note in [*head.notes[:10], *_left_out(ordered, shown, limit)]],
        policy=_POLICY.format(script=_hash(script), style=_hash(style)),
        style=Markup(style),  # noqa: S704  # our own, as the script
        script=Markup(script),  # noqa: S704
        limit=_megabytes(limit),
        entries=(part for _, part in parts(0)),
        pieces=(piece for which in (1, 2) for piece in parts(which)),
    )


def _fitted(tests: Sequence[Kept], room: int) -> list[int]:
    """Return how many of its parts each test shows: all of those that failed first, then entries before spans."""
    shown = [0] * len(tests)
    for failed in (True, False):
        for part in range(len(PARTS)):
            for k, test in enumerate(tests):
                size = test.sizes[part] + _ELEMENT
                if test.failed is failed and shown[k] == part and size <= room:
                    room -= size
                    shown[k] += 1
    return shown


def _left_out(tests: Sequence[Kept], shown: Sequence[int], limit: int) -> Iterator[str]:
    for count, what in ((2, "the values that spans recorded"), (1, "the spans"), (0, "all")):
        names = [test.name[:_NAME] for test, parts in zip(tests, shown, strict=True) if parts == count]
        if names:
            listed = ", ".join(capped(names, _NAMES, "{} more"))
            whose = counted(len(names), "test")
            yield f"Left out, to keep this page under {_megabytes(limit)}: {what} of {whose}: {listed}."


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:g} MB"


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
