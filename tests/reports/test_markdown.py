"""A run as Markdown: what it says, and that nothing in it is obeyed."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.runs.records import BaselineChange, Run, TracedTest, TraceRecord
from pytest_mlflow_traces.core.spans.records import printable
from pytest_mlflow_traces.reports.markdown import code, inert, summary

TRACE = TraceRecord("tr-1", "agent", "OK", 9, (("search", 2), ("fetch", 1)), tokens=1204, ms=3.0)
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</pre></details><script>x</script>",
    "`code` **bold** [link](http://evil.test) ![x](y)",
    "a | b | c",
    "\x1b[31mred\x1b[0m",
    "@everyone #12 https://evil.test",
    "line\nbreak\r\n# heading",
    "\u202egnp.exe",
    "$\\math$ ~~x~~ :smile: &amp; &lt;",
    "::add-mask::x",
    "__init__ _a_ x[_b_] *c*",
    "tests/__traces__/test_agent/test_a.trace",
    *("___", "- x", "---", "+ x", "1. x", "12.", "2) x", "    code", " x ", "===", "> x", "a  b", "-", " "),
    *("www.evil.example", "see WWW.evil.example", "http://evil.example", "a@evil.example"),
]


def test_the_whole_report():
    run = Run(
        (
            TracedTest("tests/test_a.py::test_holds", "passed", (TRACE,)),
            TracedTest(
                "tests/test_a.py::test_breaks[eu]",
                "failed",
                (TRACE, TRACE),
                (Finding("shape.missing", "agent"),),
                "trace 'agent' does not match: 1 missing\n\n  agent  AGENT\n- └─ <plan>  LLM   missing",
                (BaselineChange("tests/__traces__/test_a/test_b.trace", "updated", ("-agent AGENT", "+agent CHAIN")),),
            ),
        ),
        exit_status=1,
        notes=("1 baseline is used by no test: old.trace",),
    )

    assert (
        summary(run)
        == """\
## MLflow traces: 1 of 2 tests failed

> [!IMPORTANT]
> This run rewrote 1 baseline: it shows what the agent does now, and checks no baseline. Review the changes below, \
and run again without the update.

> [!WARNING]
> 1 baseline is used by no test&#58; old.trace

3 traces of 2 tests, 27 spans, 9 tool calls, 3,612 tokens, 1 finding.

| test | outcome | traces | spans | tools | tokens | findings |
|:--|:--|--:|--:|:--|--:|--:|
| <code>tests/test_a.py&#58;&#58;test_breaks&#91;eu&#93;</code> | **failed** | 2 | 18 | <code>search</code> x4, \
<code>fetch</code> x2 | 2,408 | 1 |
| <code>tests/test_a.py&#58;&#58;test_holds</code> | passed | 1 | 9 | <code>search</code> x2, \
<code>fetch</code> | 1,204 |  |

### What differs

<details><summary><code>tests/test_a.py&#58;&#58;test_breaks&#91;eu&#93;</code>: 1 finding</summary>

<pre>
trace &#x27;agent&#x27; does not match: 1 missing

  agent  AGENT
- └─ &lt;plan&gt;  LLM   missing
</pre>

</details>

### Baselines changed in this run

<details><summary>updated <code>tests/&#95;&#95;traces&#95;&#95;/test_a/test_b.trace</code></summary>

<pre>
-agent AGENT
+agent CHAIN
</pre>

</details>
"""
    )


def test_a_run_without_traces_says_that_nothing_was_checked():
    assert summary(Run()) == (
        "## MLflow traces: nothing was traced\n\n"
        "> [!CAUTION]\n> No test of this run captured a trace, so nothing was checked.\n"
    )


def test_a_run_that_stopped_early_or_left_modules_out_says_so():
    left_out = tuple(f"test_{number}.py" for number in range(22))

    text = summary(
        Run((TracedTest("test_a", "passed", (TRACE,)),), uncollected=left_out, stopped="1 of 4 tests ran, *")
    )

    assert text.startswith(
        "## MLflow traces: 1 test passed, but the run stopped early (22 modules not collected)\n\n"
        "> [!CAUTION]\n> The run stopped early: 1 of 4 tests ran, &#42;.\n\n"
        "> [!CAUTION]\n> Not collected, so that their tests did not run: <code>test_0.py</code>, "
    )
    assert "<code>test_19.py</code>, 2 more.\n" in text
    assert "test_20" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_read_as_markdown_html_or_an_escape(text):
    shown = inert(text)

    assert re.fullmatch(r"(\w|[ ./,-]|&#\d+;)*", shown)
    assert "\n" not in shown
    assert code(text) == f"<code>{shown}</code>"


class Reader(HTMLParser):
    """Read a page as somebody who looks at it: the text, and the names of the elements around it."""

    def __init__(self):
        super().__init__()
        self.text, self.elements = "", []

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)


def read(markdown):
    reader = Reader()
    reader.feed(MarkdownIt().enable(["table", "strikethrough"]).render(markdown))
    reader.close()
    return reader


PLACES = {
    "a line": ("{}", ["p"]),
    "an alert": ("> [!WARNING]\n> {}", ["blockquote", "p"]),
    "a quote": ("> {}", ["blockquote", "p"]),
    "a cell": ("| {} |\n|---|\n", ["table", "thead", "tr", "th"]),
    "a title": ("<summary>{}</summary>", ["summary"]),
}


@pytest.mark.parametrize("place", PLACES)
@given(
    st.text(min_size=1, max_size=100) | st.text("a_.-1 w[/&#;:\\", min_size=1, max_size=10) | st.sampled_from(HOSTILE)
)
def test_what_a_reader_sees_is_the_text(place, text):
    around, elements = PLACES[place]

    page = read(around.format(inert(text)))

    assert (page.text.strip("\n").removeprefix("[!WARNING]\n"), page.elements) == (printable(text), elements)
    assert text.isprintable() <= (printable(text) == text)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_reader_sees_code_as_it_is(text):
    page = read(f"| {code(text)} |\n|---|\n")

    assert (page.text.strip("\n"), page.elements) == (printable(text), ["table", "thead", "tr", "th", "code"])


@pytest.mark.parametrize("text", HOSTILE)
def test_a_report_of_hostile_names_keeps_its_form(text):
    trace = TraceRecord(text, text, text, 1, ((text, 1),))
    finding = Finding(text, text)
    change = BaselineChange(text, "updated", (text,))
    lines = summary(Run((TracedTest(text, "failed", (trace,), (finding,), text, (change,)),), notes=(text,))).split(
        "\n"
    )

    rows = [line for line in lines if line.startswith("| <code>")]
    assert [row.count("|") for row in rows] == [8]
    outside = re.sub(r"<pre>.*?</pre>", "", "\n".join(lines), flags=re.DOTALL).split("\n")
    assert [line for line in outside if line.startswith("#")] == [
        "## MLflow traces: 1 of 1 test failed", "### What differs", "### Baselines changed in this run",
    ]  # fmt: skip
    assert sum("</details>" in line for line in lines) == 2
    assert sum("</pre>" in line for line in lines) == 2
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if re.search(r"<(?!/?(details|summary|code|pre)\b)", line)]


def test_a_report_is_of_a_size_that_servers_take():
    long = "x" * 10_000
    change = BaselineChange(long, "updated", tuple([long] * 500))
    failing = TracedTest(long, "failed", (TRACE,), failure="\n".join([long] * 500), changes=(change,))

    text = summary(Run(tuple([failing] * 2000)))

    assert len(text) < 5_000_000
    assert "| … 1,700 more tests | 1700 failed | | | | | |" in text
    assert "… 1,950 more failures" in text
    assert "… 1,950 more baselines" in text
