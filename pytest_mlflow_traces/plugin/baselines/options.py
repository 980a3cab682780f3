"""What a baseline is recorded with: the options of `trace_baseline`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.baselines.inventory import ATTRIBUTES, CALLS, TAGS
from pytest_mlflow_traces.core.matching.matcher import find
from pytest_mlflow_traces.core.patterns.constructors import checked_one_span
from pytest_mlflow_traces.core.patterns.nodes import Pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.core.baselines.file_format import Section
    from pytest_mlflow_traces.core.trace import Trace

__tracebackhide__ = True  # a failure points at the test, not in here

KEYWORDS = ("see_through", "unordered", "tags", "attributes", "calls")


@dataclass(frozen=True, slots=True)
class Options:
    """What a baseline is recorded with."""

    see_through: tuple[Pattern, ...] = ()
    unordered: tuple[Pattern, ...] | bool = False
    tags: bool = False
    attributes: bool = False
    calls: bool = False

    @property
    def kinds(self) -> list[str]:
        """What is held beside the tree."""
        asked = ((TAGS, self.tags), (ATTRIBUTES, self.attributes), (CALLS, self.calls))
        return [kind for kind, is_asked in asked if is_asked]

    def shown(self, trace: Trace) -> Trace:
        """Return what is seen of a trace."""
        return trace.without(*self.see_through) if self.see_through else trace

    def free(self, trace: Trace) -> set[int]:
        """Return the positions of the spans whose children are in any order."""
        if isinstance(self.unordered, bool):
            return set(range(len(trace.table))) if self.unordered else set()
        return {i for each in self.unordered for i in find(trace.table, each)}

    def rewritten(self, section: Section, trace: Trace) -> Section:
        """Return a section as it holds of a trace."""
        shown = self.shown(trace)
        return section.rewritten(trace, shown, self.kinds, self.free(shown))

    def loosened(self, section: Section, trace: Trace) -> tuple[Section, list[str]]:
        """Return a section that holds of a trace, too, and what it holds no more."""
        from pytest_mlflow_traces.core.variants.sections import loosened_section

        shown = self.shown(trace)
        return loosened_section(section, trace, shown, self.kinds, self.free(shown))

    def is_held(self, section: Section, trace: Trace) -> bool:
        """Return whether a trace is what a section holds, in its tree and beside it."""
        return not section.findings(trace, self.kinds) and self.shown(trace) == section.pattern


def checked(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call as `Options` has them, or raise what is wrong with one."""
    found: dict[str, Any] = {}
    for word, value in options.items():
        what = f"trace_baseline(): {word}"
        if word in ("see_through", "unordered") and not isinstance(value, bool):
            patterns: Iterable[object] = (value,) if isinstance(value, Pattern | str) else value
            found[word] = tuple(checked_one_span(each, what) for each in patterns)
        elif not isinstance(value, bool) or word == "see_through":
            raise TypeError(
                f"{what} is {'a pattern or several' if word == 'see_through' else 'True or False'}, got {value!r:.80}"
            )
        else:
            found[word] = value
    return found
