"""Whatever a trace says, a page shows it as text: nothing of it runs, nothing asks for anything, no secret is shown."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces import Finding, span
from pytest_mlflow_traces.core.text.redaction import redacted
from pytest_mlflow_traces.reports.html.entries import Entry
from pytest_mlflow_traces.reports.html.page import Head
from pytest_mlflow_traces.reports.html.values import encoded, shown_line, shown_text, shown_value
from tests.support.building import Event, Record, Status, trace_of
from tests.support.pages import Opened, chromium, data_of, failing, made, written

RUN = "window.ran=1"
HOSTILE = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</ScRiPt ><img src=x onerror={RUN}>",
    f'"><svg onload={RUN}>',
    f"' onmouseover={RUN} autofocus onfocus={RUN} x='",
    f"javascript:{RUN}",
    f'<a href="javascript:{RUN}">click</a>',
    "<!--<script>",
    "]]>--><!DOCTYPE html>",
    "&lt;b&gt;&amp;&#60;script&#62;",
    "{{ 7*7 }}${7*7}{% raw %}",
    "<iframe src='https://example.org/'></iframe><link rel=stylesheet href=//example.org>",
    "<base href=//example.org/><meta http-equiv=refresh content=0;url=//example.org>",
    "url(https://example.org/x.png)",
    "\u202egnp.exe\u2066",
    "nul\x00in\x07side\x1b[31m",
    "lone \ud800 half \udfff",
    "line\u2028and\u2029paragraph\r\n\tnext",
    "__proto__",
    "constructor",
]


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def hostile_trace(number, text):
    root = Record(text, f"{text}-0", None, text, 0, 5_000_000, Status("ERROR", text))
    root.inputs, root.outputs, root.attributes = {text: [text, {text: text}]}, text, {text: text}
    root.events = [Event("exception", {"exception.type": text, "exception.message": text, text: text}), Event(text, {})]
    child = Record(text, f"{text}-1", f"{text}-0", text, 1_000_000, 2_000_000)
    return trace_of([root, child], id=f"tr-{number}{text}", tags={text: text}, metadata={"mlflow.trace.session": text})


def hostile_entry(number, text):
    trace = hostile_trace(number, text)
    finding = Finding(text, text, text, text, text)
    known = failing(f"{number}{text}", trace, span(text, type="TOOL")[span(text)[span(text)], span(text + "x")])
    said = {"message": text, "source": (text, text), "baseline": text, "accept": text}
    return Entry(known.name, known.outcome, [trace], True, [text], [*known.findings, finding], known.marks, **said)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "page.html"
    head = Head(*HOSTILE[1:3], failed=True, notes=HOSTILE)
    return written(path, *(hostile_entry(k, text) for k, text in enumerate(HOSTILE)), head=head)


def test_nothing_of_a_trace_runs_and_nothing_is_asked_for(browser, hostile):
    opened = Opened(browser, hostile)

    opened.open_all()
    for kind in (".findings button", '[role="treeitem"]', ".twist", ".copy button", "summary", "a"):
        opened.click(f"article {kind}")
    opened.page.mouse.move(600, 400)
    opened.page.keyboard.press("Tab")

    assert opened.requests == [hostile.as_uri()]
    assert opened.page.evaluate("window.ran") is None
    assert opened.page.url.partition("#")[0] == hostile.as_uri()
    assert opened.errors == []
    assert opened.page.locator("img, iframe, link, base, object, article svg:not(.moves), article script").count() == 0


def test_each_text_is_shown_as_it_is(browser, hostile):
    opened = Opened(browser, hostile)

    opened.open_all()
    shown = opened.page.locator("article .name").all_text_contents()
    heads = opened.page.locator("article .test").all_text_contents()

    assert {shown_line(text) for text in HOSTILE} <= set(shown)
    assert {shown_line(f"{k}{text}") for k, text in enumerate(HOSTILE)} == set(heads)
    assert opened.page.title() == HOSTILE[1]


def test_the_policy_of_the_page_lets_nothing_else_run(browser, hostile):
    opened = Opened(browser, hostile)

    opened.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            const image = new Image();
            image.src = "https://example.org/x.png";
            document.body.append(script, image);
            document.body.insertAdjacentHTML("beforeend", "<p style='color: red' onclick='window.ran = 1' id=x>x</p>");
            document.getElementById("x").click();
        }"""
    )
    opened.page.evaluate("fetch('https://example.org/').catch(() => 0)")

    assert opened.page.evaluate("window.ran") is None
    assert opened.refused == [("https://example.org/x.png", "csp")]
    assert opened.page.evaluate("getComputedStyle(document.getElementById('x')).color") != "rgb(255, 0, 0)"
    assert len(opened.errors) >= 4
    assert all("Content Security Policy" in error for error in opened.errors)


def test_the_page_has_no_place_where_markup_could_come_in():
    html = made(hostile_entry(0, HOSTILE[1]))
    script = html.rpartition("<script>")[2].partition("</script>")[0]

    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(", script)
    assert re.findall(r"<[^>]*\s(?:on\w+|style|src)=", html) == []
    assert [each for each in re.findall(r'href="([^"]*)"', html) if not each.startswith("#")] == []
    assert html.isascii() or all(char not in html for char in "\u2028\u2029\u202e\x00")
    policy = re.search(r'Security-Policy" content="(.*?)"', html)[1].replace("&#39;", "'")
    hashes = r"script-src 'sha256-\S{44}'; style-src 'sha256-\S{44}'"
    assert re.fullmatch(f"default-src 'none'; {hashes}; base-uri 'none'; form-action 'none'", policy)


@pytest.mark.parametrize("text", HOSTILE)
def test_data_comes_back_as_it_was_and_is_never_markup(text):
    html = made(hostile_entry(0, text))

    assert not set("<>&") & set(encoded(text))
    assert data_of(html)["entries"][0]["message"] == shown_text(text)


def test_a_value_of_megabytes_is_cut_and_says_so():
    huge = "x" * 3_000_000
    root = Record("agent" + huge, "0", None, "T" * 10_000, 0, 1, inputs=[huge] * 3, outputs={"k" * 10_000: huge})
    html = made(failing(huge, trace_of([root], id=huge, tags={"a": huge}), span("x"), message=huge))

    assert len(html) < 250_000
    assert "(3,000,000 characters, cut)" in data_of(html)["values-0"][0]["spans"]["0"]["inputs"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1] * 1_000, "… (800 more, cut)"),
        ({k: k for k in range(1_000)}, "800 more, cut"),
        ([[[0] * 190] * 190] * 190, "characters, cut)"),
        (["y" * 3_000] * 100, "characters, cut)"),
    ],
)
def test_data_of_any_size_is_cut_and_says_so(value, said):
    shown = shown_value(value)

    assert said in shown
    assert len(shown) < 30_000


def test_data_that_goes_on_for_ever_ends():
    endless = []
    endless.append(endless)

    assert "… (1 items, cut)" in shown_value(endless)


class Broken:
    def __repr__(self):
        raise RuntimeError


def test_a_value_that_cannot_be_shown_says_what_it_is():
    assert shown_value({"a": Broken()}) == '{\n  "a": "<a Broken whose repr raises RuntimeError>"\n}'


SECRETS = [
    ("sk-proj-abcdef1234567890", "'sk-'... (24 characters)", "abcdef1234567890"),
    ("https://ada:lovelace@example.com/", "https'://'... (16 characters)example.com/", "lovelace"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0", "'eyJ'... (49 characters)", "c2lnbmF0"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC", "'---'... (45 characters)", "IBAAKC"),
    ("ask ada@example.com", "ask 'ada'... (15 characters)", "ada@"),
]


@pytest.mark.parametrize(("secret", "shown", "inside"), SECRETS)
def test_a_secret_is_masked_wherever_it_stands(secret, shown, inside):
    assert redacted(secret) == shown
    root = Record(secret, "0", None, secret, 0, 1, Status("ERROR", secret), inputs=secret, outputs=[{"a": secret}])
    root.attributes, root.events = {"a": secret}, [Event("e", {"a": secret})]
    trace = trace_of([root], tags={"a": secret}, metadata={"a": secret})
    entry = Entry("test", "failed", [trace], True, [], [Finding("r", secret, secret, secret, secret)], (), secret)

    html = made(entry)

    assert inside not in html


def test_a_secret_is_known_by_its_name():
    shown = shown_value({"password": "correct horse", "has_token": "true", "arguments": '{"api_key": "correct horse"}'})

    assert "correct" not in shown
    assert '"password": "\'cor\'... (13 characters)",\n  "has_token": "true"' in shown
