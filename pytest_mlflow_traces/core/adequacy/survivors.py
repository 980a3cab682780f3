"""What a run comes to: of all mutants of all shapes of traces, those that no test noticed, grouped for a reader."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.adequacy.mutant import WHOLE
from pytest_mlflow_traces.core.adequacy.mutants import PHRASES
from pytest_mlflow_traces.core.spans.records import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_mlflow_traces.core.adequacy.mutant import Key


@dataclass(slots=True)
class ShapeScore:
    """The mutants of the traces of one shape; `traces` are counted by the runs of tests."""

    shape: str
    name: str = ""
    names: Sequence[str] = ()
    known: set[Key] = field(default_factory=set)
    noticed: set[Key] = field(default_factory=set)
    traces: dict[tuple[str, ...], int] = field(default_factory=dict)

    @property
    def survived(self) -> set[Key]:
        """The mutants that nothing noticed."""
        return self.known - self.noticed

    @property
    def tests(self) -> set[str]:
        """The tests that made such traces, as far as they are known."""
        return {test for test, *_ in self.traces if test}

    def subject(self, key: Key) -> str:
        """What an edit is an edit of, in words."""
        _, position, detail = key
        if position == WHOLE:
            return f"the tag `{visible(detail)}`"
        return f"`{visible(self.names[position])}`"


@dataclass(frozen=True, slots=True)
class Survivor:
    """Edits of one subject that nothing noticed, in the same traces.

    `is_all` says that no edit of it was noticed, `is_some` that others of its name, edited alike, were.
    """

    subject: str
    edits: tuple[str, ...]
    phrases: tuple[str, ...]
    traces: int
    tests: int
    shapes: tuple[str, ...]
    is_all: bool
    is_some: bool


class Survivors:
    """The mutants of a run, and those that survived it, from what `MutantJudge.judge` said of each test."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self._shapes: dict[str, ShapeScore] = {}
        self._asides: dict[str, dict[tuple[str, ...], int]] = {
            name: {} for name in ("unstable", "unwhole", "large", "of_spans")
        }

    def add(self, test: str, said: Mapping[str, Any], worker: str = "") -> None:
        """Take in what is said of one run of a test."""
        for shape, each in said["shapes"].items():
            score = self._shapes.setdefault(shape, ShapeScore(shape))
            score.name, score.names = each.get("name", score.name), each.get("names", score.names)
            score.known.update(map(_key, each["known"]))
            score.noticed.update(map(_key, each["noticed"]))
            score.traces[test, worker] = each["traces"]
        for aside, counts in self._asides.items():
            counts[test, worker] = said.get(aside, 0)

    @property
    def shapes(self) -> list[ShapeScore]:
        """The shapes, those with the most survivors first."""
        return sorted(self._shapes.values(), key=lambda each: (-len(each.survived), each.name, each.shape))

    @property
    def total(self) -> int:
        """How many mutants there were."""
        return sum(len(each.known) for each in self._shapes.values())

    @property
    def noticed(self) -> int:
        """How many of them were noticed."""
        return sum(len(each.noticed) for each in self._shapes.values())

    @property
    def percent(self) -> float | None:
        """The share that was noticed; `None` where nothing was edited, which is no success."""
        return percent(self.noticed, self.total)

    def aside(self, what: str) -> tuple[int, int]:
        """Return how many questions or traces were left out for one reason, and of how many tests."""
        found = {test: count for (test, *_), count in self._asides[what].items() if count}
        return sum(found.values()), len(found)

    def survivors(self) -> list[Survivor]:
        """Return what nothing noticed, that of the most traces first."""
        groups: defaultdict[tuple[Any, ...], list[tuple[str, str]]] = defaultdict(list)
        for (subject, edit, detail), (survived, is_some) in self._by_subject().items():
            groups[subject, tuple(survived), is_some].append((edit, detail))
        made = [self._survivor(*group, edits=edits) for group, edits in groups.items()]
        return sorted(made, key=lambda each: (-each.traces, -len(each.edits), each.subject))

    def _by_subject(self) -> dict[tuple[str, str, str], tuple[list[str], bool]]:
        """Return the edits that survived, with their shapes, and whether others of that name were noticed there."""
        found: dict[tuple[str, str, str], tuple[list[str], bool]] = {}
        for shape in sorted(self._shapes):
            score = self._shapes[shape]
            counts: defaultdict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
            for key in score.known:
                count = counts[score.subject(key), key[0], key[2]]
                count[0] += 1
                count[1] += key not in score.noticed
            for about, (known, survived) in counts.items():
                if survived:
                    shapes, is_some = found.get(about, ([], False))
                    found[about] = [*shapes, shape], is_some or survived < known
        return found

    def _survivor(
        self, subject: str, shapes: tuple[str, ...], is_some: bool, *, edits: Iterable[tuple[str, str]]
    ) -> Survivor:
        order = {edit: place for place, edit in enumerate(PHRASES)}
        said = sorted(edits, key=lambda each: (order[each[0]], each[1]))
        its = [self._shapes[shape] for shape in shapes]
        everything = {
            (edit, detail)
            for score in its
            for edit, position, detail in score.known
            if score.subject((edit, position, detail)) == subject
        }
        return Survivor(
            subject,
            tuple(dict.fromkeys(edit for edit, _ in said)),
            tuple(PHRASES[edit].format(visible(detail)) for edit, detail in said),
            sum(sum(score.traces.values()) for score in its),
            len(set().union(*(score.tests for score in its))),
            shapes,
            len(said) > 1 and everything == set(said) and not is_some,
            is_some,
        )

    def data(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return {
            "classes": list(self.classes),
            "mutants": self.total,
            "noticed": self.noticed,
            "percent": self.percent,
            "shapes": [
                {
                    "shape": each.shape,
                    "name": each.name,
                    "spans": len(each.names),
                    "traces": sum(each.traces.values()),
                    "tests": sorted(each.tests),
                    "mutants": len(each.known),
                    "noticed": len(each.noticed),
                }
                for each in self.shapes
            ],
            "survivors": [
                {
                    "subject": each.subject,
                    "edits": list(each.edits),
                    "text": sentence(each),
                    "traces": each.traces,
                    "tests": each.tests,
                    "shapes": list(each.shapes),
                }
                for each in self.survivors()
            ],
        }


def sentence(survivor: Survivor) -> str:
    """Say what nothing notices."""
    subject = f"one of several {survivor.subject}" if survivor.is_some else survivor.subject
    if survivor.is_all:
        return f"nothing notices what happens to {subject}"
    *first, last = survivor.phrases
    said = f"{', '.join(first)} or {last}" if first else last
    return f"nothing notices when {subject} {said}"


def percent(noticed: int, total: int) -> float | None:
    """Return the share in percent, rounded down to a tenth: only what is whole is 100."""
    return None if not total else noticed * 1_000 // total / 10


def _key(said: Sequence[Any]) -> Key:
    edit, position, detail = said
    return edit, position, detail
