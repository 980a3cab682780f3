"""Run the code of each page in `docs/`: its blocks in order, in one namespace a page.

| a block of | does |
|---|---|
| `python` | runs, and so do the tests in it that ask for our fixtures |
| `python raises` | raises what the `text` block after it says, as `ValueError: span(): ...` |
| `trace` | makes `trace`: a span a line in the notation, indented, and its time as `@start-end` where that matters |
| `notation`, `toml` | makes `text` |
| `python spark` | runs in `tests/spark`, where Spark is |

All other blocks are for reading. The pages that a stranger reads first run in `test_first_pages`, as files in a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces.core.notation.lines import read_head
from tests.docs.running import run_tests
from tests.support.building import node, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
FIRST_PAGES = [ROOT / "README.md", ROOT / "docs/index.md"]
OTHER_PAGES = [page for page in sorted((ROOT / "docs").glob("**/*.md")) if page not in FIRST_PAGES]
PAGES = [*FIRST_PAGES, *OTHER_PAGES]


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `line` is that of its first line."""

    kind: str
    code: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    kind, held, first = None, [], 0
    for number, line in enumerate(page.split("\n"), 1):
        if kind is None and line.startswith("```"):
            kind, held, first = line.strip("`").strip(), [], number + 1
        elif kind is not None and line == "```":
            yield Block(kind, "\n".join(held), first)
            kind = None
        elif kind is not None:
            held.append(line)
    if kind is not None:
        raise ValueError(f"the block that begins on line {first - 1} does not end")


def read_spans(text: str) -> list[Any]:
    """Return what makes a trace of its lines: `search TOOL ERROR error=Timeout outputs={"n": 1} @3-9`."""
    above: list[list[Any]] = [[]]
    for line in text.split("\n"):
        said, _, times = line.partition(" @")
        indent = len(said) - len(said.lstrip(" "))
        head = read_head(said.rstrip(), indent).said
        fields = {key: head[key] for key in ("inputs", "outputs", "attributes", "error") if key in head}
        words = [str(head["name"]), head.get("type", "UNKNOWN"), head.get("status", ""), f"@{times}" if times else ""]
        while len(above) > indent // 2 + 1:
            below = above.pop()
            above[-1] += [below] if below else []
        above[-1].append(node(" ".join(filter(None, words)), **fields))
        above.append([])
    while len(above) > 1:
        below = above.pop()
        above[-1] += [below] if below else []
    return above[0]


def run(page: Path) -> int:
    """Run what stands on a page; return how many blocks there are to run."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    ran, raised = 0, ""
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}, line {block.line}"
        if raised:
            assert (block.kind, block.code) == ("text", raised), f"{where}: the block before raises another error"
            raised = ""
        elif block.kind == "trace":
            namespace["trace"] = tree(*read_spans(block.code))
        elif block.kind in ("notation", "toml"):
            namespace["text"] = block.code
        elif block.kind in ("python", "python raises"):
            code = compile("\n" * (block.line - 1) + block.code, str(page), "exec", dont_inherit=True)
            ran += 1
            before = dict(namespace)
            try:
                exec(code, namespace)
                run_tests(namespace, [name for name in namespace if namespace[name] is not before.get(name)])
            except Exception as error:
                if block.kind == "python":
                    raise
                raised = f"{type(error).__name__}: {error}"
            else:
                assert block.kind == "python", f"{where}: this block raises nothing"
    assert not raised, f"{page.name}: no text block says what the last block raises"
    return ran


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")  # MLflow, where it is first imported
@pytest.mark.filterwarnings("ignore:Starting with pandas version 4.0")  # MLflow, where it evaluates
@pytest.mark.parametrize("page", OTHER_PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_does_what_the_page_says(page):
    run(page)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("```python\nassert 1 == 2, 'no'\n```", "no"),
        ("```python raises\npass\n```", "this block raises nothing"),
        ("```python raises\n1 / 0\n```", "no text block says"),
        ("```python raises\n1 / 0\n```\n```text\nValueError: x\n```", "the block before raises another error"),
        ("```trace\na\n```\n```python\nassert trace.root.name == 'b', 'no'\n```", "no"),
    ],
)
def test_a_page_that_is_not_true_fails(tmp_path, page, message):
    path = tmp_path / "page.md"
    path.write_text(page)

    with pytest.raises(AssertionError, match=message):
        run(path)


def test_blocks_are_found_in_order_and_all_others_left_alone(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(
        "# x\n```console\n$ oops(\n```\n```python\nn = 1\n```\ntext\n```notation\na ...\n```\n"
        "```python raises\nint('x' * n)\n```\n```text\nValueError: invalid literal for int() with base 10: 'x'\n```\n"
        "```python\nassert (n, text) == (1, 'a ...')\n```\n"
    )

    assert run(path) == 3


def test_a_test_on_a_page_is_run(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("```python raises\ndef test_it(mlflow_traces):\n    assert len(mlflow_traces) == 1, 'none'\n```\n")

    with pytest.raises(AssertionError, match="no text block says"):
        run(path)


def test_an_open_block_is_an_error():
    with pytest.raises(ValueError, match="the block that begins on line 2 does not end"):
        list(blocks("x\n```python\n1"))


def test_a_trace_is_read_as_it_looks():
    text = 'agent AGENT @0-9\n  plan LLM outputs={"n": 1} @1-3\n    call\n  search TOOL OK error=Timeout @2-\nother'
    trace = tree(*read_spans(text))

    assert [(span.path, span.type, span.status) for span in trace.spans] == [
        ("agent", "AGENT", "OK"),
        ("agent > plan", "LLM", "OK"),
        ("agent > plan > call", "UNKNOWN", "OK"),
        ("agent > search", "TOOL", "ERROR"),
        ("other", "UNKNOWN", "OK"),
    ]
    assert trace.spans[1].outputs == {"n": 1}
    assert trace.spans[3].error.type == "Timeout"
    assert trace.spans[1].overlaps(trace.spans[3])
