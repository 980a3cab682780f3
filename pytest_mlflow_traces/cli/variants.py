"""The command about the shapes of many traces."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from pytest_mlflow_traces.cli.answers import answer, readable
from pytest_mlflow_traces.cli.expectations import Cover
from pytest_mlflow_traces.cli.progress import progress, size_of
from pytest_mlflow_traces.cli.trace_sets import files_of
from pytest_mlflow_traces.core.spans.records import escaped, visible
from pytest_mlflow_traces.core.text.counts import capped, counted
from pytest_mlflow_traces.core.variants.variants import Variants
from pytest_mlflow_traces.files.traces import stored_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_mlflow_traces.core.trace import Trace
    from pytest_mlflow_traces.core.variants.variants import Variant

_LINES = 40  # of one tree


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--since", "old", metavar="OLD", multiple=True,
              help="A file or folder of traces to compare with: name the shapes that it does not have, and those that "
                   "only it has; may be given several times.")  # fmt: skip
@click.option("--against", "names", metavar="MODULE:NAME|FILE|FOLDER", multiple=True,
              help="A contract (in code or *.toml), a baseline (*.trace), or a folder of baselines: name the shapes "
                   "with traces for which none of them holds; may be given several times.")  # fmt: skip
@click.option("--show", "most", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
              help="Draw the N commonest shapes, and the first N of those that are new, covered by nothing or gone; "
                   "the others are counted.")  # fmt: skip
@click.option("--allow-not-judged", "allowed", metavar="N", type=click.IntRange(min=0), default=0, show_default=True,
              help="With --since or --against: pass though up to N traces are not whole, so that their shape is not "
                   "known.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every shape.")
def variants(
    files: tuple[str, ...], old: tuple[str, ...], names: tuple[str, ...], most: int, allowed: int, as_json: bool
) -> None:
    """Count the shapes of traces: how an agent goes about its work, and how often.

    A shape is what a baseline records: names (without what each run makes anew, such as ids), types, statuses and the
    tree; siblings that overlap in time are in any order. Traces are read one by one; of a shape, the first is kept.

    \b
    pytest-mlflow-traces variants traces.jsonl
    pytest-mlflow-traces variants new.jsonl --since old.jsonl --against tests/ --against refunds.contract.toml

    With --since, a shape that is new is a failure; with --against, one with traces that nothing covers. So are no
    traces at all, and a trace that is not whole. A shape that is gone is listed, and no failure.
    """  # noqa: D301  # click wraps what follows a backspace no more
    with readable():
        cover = Cover(names, "--against") if names else None
    found = Variants(None if cover is None else cover.covers, is_compared=bool(old))
    with readable(), progress("reading", size_of([*old, *files])) as advance:
        _read(old, found.add_before, advance)
        _read(files, found.add, advance)
    if as_json:
        answer(json.dumps(found.data(allowed)).replace("##[", "##\\u005b"))
    else:
        answer("\n".join(escaped(line) for line in _told(found, most, ", ".join(old))))
    sys.exit(0 if found.holds(allowed) else 1)


def _read(paths: Sequence[str], add: Callable[[Trace, str], None], advance: Callable[[int], object]) -> None:
    for stored in stored_traces((file for path in paths for file in files_of(path)), advance):
        add(stored.trace, stored.where)


def _told(found: Variants, most: int, old: str) -> list[str]:
    """Return the shapes that are drawn, and what it all came to."""
    drawn = {each.shape: each for those in (found.found, found.new, found.uncovered) for each in those[:most]}
    lines = [line for each in drawn.values() for line in _drawn(each, found)]
    lines += [line for each in found.gone[:most] for line in _drawn(each, found)]
    rest = [each for each in found.found if each.shape not in drawn]
    if rest and most:
        lines += [f"... {counted(len(rest), 'more shape')}: {counted(sum(each.traces for each in rest), 'trace')}", ""]
    return lines + _conclusion(found, old)


def _drawn(variant: Variant, found: Variants) -> list[str]:
    whole = found.traces - found.not_judged
    share = f"{counted(variant.traces, 'trace')}, {variant.traces / whole:.1%}" if variant.traces else "no trace"
    said = [share, *_marks(variant, found)]
    tree = capped(variant.text.split("\n"), _LINES)
    first = f"first in {variant.where}: {visible(variant.trace_id)}"
    return [f"shape {variant.shape}: {'; '.join(said)}; {first}", *(f"  {line}" for line in tree), ""]


def _marks(variant: Variant, found: Variants) -> list[str]:
    marks = []
    if found.is_compared:
        before = counted(variant.before, "trace")
        marks.append(
            "new" if not variant.before else f"{before} before" if variant.traces else f"gone: {before} before"
        )
    if variant.uncovered:
        some = "nothing covers" if variant.uncovered == variant.traces else f"nothing covers {variant.uncovered:,} of"
        marks.append(f"{some} them")
    return marks


def _conclusion(found: Variants, old: str) -> list[str]:
    if not found.traces:
        return ["no traces: there is nothing to count"]
    unknown = f", {found.not_judged:,} not whole and of no known shape" if found.not_judged else ""
    lines = [f"{counted(found.traces, 'trace')}: {counted(len(found.found), 'shape')}{unknown}"]
    if found.is_compared:
        before = f"{counted(found.before, 'trace')} of {visible(old)}"
        lines.append(f"  since {before}: {len(found.new):,} new, {len(found.gone):,} gone")
    if found.is_compared and found.not_judged_before:
        lines.append(f"  not compared with: {counted(found.not_judged_before, 'trace')} before that are not whole")
    if found.is_covering:
        count = sum(each.uncovered for each in found.uncovered)
        which = f"{counted(count, 'trace')} of {counted(len(found.uncovered), 'shape')}" if count else "none"
        lines.append(f"  covered by nothing: {which}")
    return lines
