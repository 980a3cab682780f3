"""Ways to make one thing wrong with good tags: leave a tag out, misspell its value, break a rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.core.tags.formats import BoolForm, EitherForm, ItemsForm, NumberForm, TextForm, WordsForm
from pytest_mlflow_traces.core.tags.portability import MAX_TAG_VALUE
from pytest_mlflow_traces.core.tags.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from random import Random

    from pytest_mlflow_traces.core.tags.formats import Form
    from pytest_mlflow_traces.core.tags.validate import CompiledSchema
    from pytest_mlflow_traces.strategies.tag_solver import TagSearch

_TRIED = 12  # values of one tag, before another fault is tried
_NO_STRINGS = (True, False, None, 0, 0.5, ["a"], {"a": "b"})
_MISSPELT = ("True", "False", "yes", "None", "", " ", "unknown", "1.0", "01", "-", "1,2", "a b")
_NAMES = ("extra", "version", "user", "error", "tag", "unexpected_tag")


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault, at a tag or in a rule."""

    kind: str
    tag: str = ""
    rule: str | None = None
    form: Form | None = None

    def broken(
        self, tags: Mapping[str, str], search: TagSearch, random: Random, fresh: Callable[[str], str | None]
    ) -> Iterator[Mapping[str, Any]]:
        """Yield tags that are likely to have this fault and no other."""
        if self.kind == "missing":
            yield {tag: value for tag, value in tags.items() if tag != self.tag}
        elif self.kind == "unknown":
            misspelt = [f"{tag[:-1]}{tag[-1] * 2}" for tag in tags] or list(_NAMES)
            for name in random.sample([*_NAMES, *misspelt], k=3):
                yield {**tags, name: random.choice(["", "x", "true", "1"])}
        elif self.kind == "type":
            yield {**tags, self.tag: random.choice(_NO_STRINGS)}
        elif self.kind == "length":
            yield {**tags, self.tag: "x" * (MAX_TAG_VALUE + 1 + random.randrange(100))}
        elif self.kind == "value" and self.form is not None:
            texts = list(dict.fromkeys(wrong_texts(self.form, tags.get(self.tag, ""))))
            random.shuffle(texts)
            yield from ({**tags, self.tag: text} for text in texts[:_TRIED])
        elif self.kind == "rule":
            for _ in range(3):
                found = search.mended(tags, random, fresh, target=("rule", self.rule))
                if found is not None:
                    yield found


def faults_of(plan: CompiledSchema, search: TagSearch) -> list[Fault]:
    """Return the kinds of faults that tags of a schema can have."""
    undecided = search.undecided() if plan.sources else set()
    tags = [tag for tag in plan.names if tag not in plan.sources]
    found = [Fault("rule", rule=rule.name) for rule in (*plan.rules, *rules_of(plan.schema, "before"))]
    found = [fault for fault in found if fault.rule not in undecided]
    if rules_of(plan.schema, "wrap"):
        found.append(Fault("rule"))
    found += [Fault("value", tag, form=plan.forms[tag]) for tag in tags]
    found += [Fault("missing", tag) for tag in tags if tag in plan.required]
    found += [] if plan.is_open else [Fault("unknown")]
    found += [Fault("type", tag) for tag in tags]
    found += [Fault("length", tag) for tag in tags if isinstance(plan.forms[tag], TextForm)]
    return found


def wrong_texts(form: Form, text: str) -> Iterator[str]:
    """Yield texts that a form does not allow, most of them near ones that it does; some may be allowed after all."""
    yield from (text.upper(), text.title(), f" {text}", f"{text} ", f"{text}s", text[:-1], f"'{text}'")
    if isinstance(form, EitherForm):
        for option in form.options:
            yield from wrong_texts(option, text)
    elif isinstance(form, BoolForm):
        yield from ("True", "False", "TRUE", "yes", "no", "0", "1", "t", "", "None")
    elif isinstance(form, WordsForm):
        for word in form.words:
            yield from (word.upper(), f"{word}x", word[:-1], f" {word}")
    elif isinstance(form, NumberForm):
        yield from ("", "one", "None", "nan", "inf", "1_000", "0x10", "+1", "01", " 1", "1,5")
        yield from ("1.0", "0.5", "1e3") if form.whole else (".5", "1e999")
        yield from (
            str(int(limit) + step) for limit in (form.low, form.high) if math.isfinite(limit) for step in (-1, 0, 1)
        )
    elif isinstance(form, ItemsForm):
        items = text.split(",") if text else ["a", "b"]
        yield from (
            ", ".join(items),
            ",".join([*items, ""]),
            f",{text}",
            str(items),
            ",".join([*items, "unknown item"]),
        )
        yield from (",".join([*items[:-1], wrong]) for wrong in wrong_texts(form.item, items[-1]))
        yield from (",".join(items * count) for count in (2, 10)) if form.most is not None else ()
        yield ""
    elif isinstance(form, TextForm):
        yield from (
            "x" * length for limit in (form.least, form.most) if limit is not None for length in (limit - 1, limit + 1)
        )
        yield from _MISSPELT
    else:
        yield from _MISSPELT
