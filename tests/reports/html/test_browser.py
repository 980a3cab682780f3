"""What somebody sees in a page, and does with it: in a real browser, since nothing else can tell."""

from __future__ import annotations

import re

import pytest

from pytest_mlflow_traces import Budget, Finding, any_order, span
from pytest_mlflow_traces.reports.html.entries import Entry
from tests.support.building import node, trace_of, tree
from tests.support.pages import Opened, chromium, failing, passing, written

AGENT = "agent AGENT @0-100"
PARALLEL = tree(
    AGENT,
    [
        node("plan LLM @0-10", inputs={"question": "why?"}, outputs="<b>ask both</b>", attributes={"model": "m1"}),
        "query @10-80",
        ["cost @12-60", ["genie TOOL @20-55"], "security @15-78"],
        node("answer LLM @82-100", error="Timeout"),
    ],
    id="tr-parallel",
    tags={"team": "a"},
)
# what belongs below cost stands below query; one is missing, one is not expected, one is another
MOVED = failing(
    "tests/test_a.py::test_moved",
    tree(
        AGENT, ["query @10-80", ["cost @12-60", "genie TOOL @62-70"], "extra @81-85", "answer CHAIN @86-90"], id="tr-1"
    ),
    span("agent")[
        span("query")[span("cost")[span("genie", type="TOOL")[()]]],
        span("check")[span("inner")[span("innermost")]],
        span("answer", type="LLM"),
    ],
    source=("tests/test_a.py:12", "assert mlflow_traces.one() == EXPECTED"),
    baseline="tests/__traces__/test_a/test_moved.trace:4",
    accept="pytest --mlflow-traces-update tests/test_a.py::test_moved",
)
ORDER = failing(
    "tests/test_a.py::test_order",
    tree("agent", ["one", "two", "three"], id="tr-2"),
    span("agent")[span("three"), span("one"), span("two")],
)
SLOW = failing("tests/test_b.py::test_slow", PARALLEL, Budget(latency="50ms"))
FINE = passing("tests/test_b.py::test_fine", tree("other", ["search TOOL"], id="tr-3"), tree("second", id="tr-4"))
CRASHED = Entry("tests/test_b.py::test_crashed", "error", [], True, message="RuntimeError: no")
ALL = (MOVED, ORDER, SLOW, FINE, CRASHED)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return written(tmp_path_factory.mktemp("page") / "page.html", *ALL)


@pytest.fixture
def opened(browser, path):
    found = []

    def look(fragment="", at=path, **options):
        found.append(Opened(browser, at, fragment, **options))
        return found[-1]

    yield look
    for each in found:
        assert each.errors == []
        each.page.close()


def names(page, selector=":not([hidden]) > h2 .test"):
    return page.locator(f"article{selector}").all_inner_texts()


# -- what is there


def test_the_verdict_and_the_counts_stand_at_the_top_and_what_failed_first(opened):
    page = opened().page

    assert page.locator("h1").inner_text() == "MLflow traces: 1 of 2 tests failed"
    assert page.locator("#counts").inner_text() == "5 of 5 tests: 3 failed, 1 error, 1 passed"
    assert names(page) == [each.name for each in (MOVED, ORDER, SLOW, CRASHED, FINE)]
    assert page.locator("article > :not(h2):not([hidden])").count() == 1  # the first that failed is open


def test_a_failure_shows_where_it_is_asserted_and_how_to_accept_it_ready_to_copy(opened, browser):
    page = opened().page
    rows = page.locator("article .copy").all_inner_texts()
    context = page.context
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy: to accept the change").click()
    page.get_by_text("copied").wait_for()

    assert [" ".join(row.split()) for row in rows] == [
        "assertion tests/test_a.py:12 copy assert mlflow_traces.one() == EXPECTED",
        "baseline tests/__traces__/test_a/test_moved.trace:4 copy",
        "to accept the change pytest --mlflow-traces-update tests/test_a.py::test_moved copy",
    ]
    assert page.evaluate("navigator.clipboard.readText()") == MOVED.accept


def test_expected_and_actual_stand_side_by_side_in_one_tree(opened):
    page = opened().page

    lines = [" ".join(text.split()) for text in page.locator('[role="treeitem"]').all_inner_texts()]

    assert lines == [
        "▾ agent AGENT 100 ms critical path, 22 ms its own",
        "▾ query UNKNOWN 70 ms critical path, 14 ms its own",
        "▾ cost UNKNOWN 48 ms critical path, 48 ms its own",
        "< genie TOOL belongs here moved: is below 'query'",
        "> genie TOOL 8 ms critical path, 8 ms its own moved: belongs below 'cost'",
        "+ extra UNKNOWN 4 ms critical path, 4 ms its own unexpected",
        "▾ - check not there missing, with 2 spans below",
        "▾ inner not there",
        "innermost not there",
        "~ answer CHAIN 4 ms critical path, 4 ms its own type: expected 'LLM', got 'CHAIN'",
    ]


def test_a_line_leads_from_where_a_span_belongs_to_where_it_stands(opened):
    page = opened().page
    svg = page.locator("svg.moves").bounding_box()
    paths = page.locator("svg.moves path:not(.head)").all()
    ghost, there = (page.locator(f'.row:has([data-mark="{mark}"])').bounding_box() for mark in "<>")

    (start, end), *others = [
        [float(number) for number in re.findall(r"M \S+ (\S+) .* (\S+)$", each.get_attribute("d"))[0]] for each in paths
    ]

    assert others == []
    assert abs(svg["y"] + start - (ghost["y"] + 13)) < 1
    assert abs(svg["y"] + end - (there["y"] + 13)) < 1


def test_a_line_leads_from_a_parent_that_is_missing(opened, tmp_path):
    trace = tree("agent", ["search", ["x", "y", "z"], "mid", ["k"], "end"])
    plan = span("plan")[span("o"), span("search")[span("x"), span("y"), span("z")]]
    lost = failing("test", trace, span("agent")[span("mid")[span("k")], plan, span("end")])
    look = opened(at=written(tmp_path / "page.html", lost))

    path = look.page.locator("svg.moves path:not(.head)").get_attribute("d")

    top = look.page.locator(".canvas").bounding_box()["y"]
    rows = [look.page.locator(f'.row:has([data-mark="{mark}"])') for mark in "->"]
    centres = [row.bounding_box()["y"] + 13 - top for row in rows]
    assert [float(each) for each in re.findall(r"M \S+ (\S+) .* (\S+)$", path)[0]] == centres


def test_a_line_leads_from_its_place_to_what_is_out_of_order(opened):
    look = opened("#test=" + ORDER.name.replace("/", "%2F"))

    assert look.page.locator("svg.moves path:not(.head)").count() == 1
    assert "out of order: belongs before 'one'" in look.row("three").inner_text()


@pytest.mark.parametrize(
    ("rule", "name"), [("shape.moved", "genie"), ("shape.unexpected", "extra"), ("shape.missing", "check")]
)
def test_a_click_on_a_finding_goes_to_its_row(opened, rule, name):
    look = opened()

    look.page.locator(".findings button", has_text=rule).click()

    assert look.selected() == name
    assert look.page.locator('.row[aria-selected="true"] .name').all_inner_texts() == [name]


def test_a_waterfall_shows_the_critical_path_self_time_errors_and_what_overlaps(opened):
    look = opened("#trace=tr-parallel")

    def bar(name):
        return look.row(name).locator(".bar")

    box = {name: bar(name).bounding_box() for name in ("agent", "query", "cost", "security", "answer")}
    whole = box["agent"]["width"]

    assert look.page.locator(".bar.critical").count() == 6
    assert "critical" not in bar("genie").get_attribute("class")
    assert "wrong" in bar("answer").get_attribute("class")
    assert "Timeout: went wrong" in look.row("answer").inner_text()
    assert abs(box["cost"]["x"] - box["agent"]["x"] - 0.12 * whole) < 2
    assert abs(box["cost"]["width"] - 0.48 * whole) < 2
    assert box["cost"]["x"] < box["security"]["x"] < box["cost"]["x"] + box["cost"]["width"]  # they are seen to overlap
    shaded = bar("query").evaluate("(bar) => bar.style.backgroundImage")
    assert [round(float(each), 1) for each in re.findall(r"var\(--own\) ([\d.]+)%", shaded)] == [0, 2.9, 97.1, 100]
    assert "budget.latency" in look.row("agent").inner_text()


def test_a_row_shows_what_its_span_recorded_on_demand(opened):
    look = opened("#trace=tr-parallel")

    look.row("plan").click()
    panel = look.page.locator(".panel:not([hidden])")
    said = dict(zip(panel.locator("summary").all_inner_texts(), panel.locator("pre").all_text_contents(), strict=True))
    look.row("answer").click()
    error = panel.locator("pre").first.inner_text()
    look.row("security").click()

    assert said == {
        "inputs": '{\n  "question": "why?"\n}', "outputs": "<b>ask both</b>", "attributes": '{\n  "model": "m1"\n}'
    }  # fmt: skip
    assert error == "Timeout\nwent wrong"
    assert "at the same time\ncost" in panel.locator("dl").inner_text()
    assert panel.get_by_text("Inputs, outputs, attributes, events: nothing.").count() == 1


# -- how it is used


def test_a_page_is_used_by_the_keyboard_alone(opened):
    look = opened()
    keyboard = look.page.keyboard

    keyboard.press("/")
    keyboard.type("b.py::test_s")
    assert names(look.page) == [SLOW.name]
    look.page.locator("article:not([hidden]) h2 button").focus()
    keyboard.press("Enter")
    look.page.locator('article:not([hidden]) [role="tree"]').focus()
    moves = []
    for key in [
        "End",
        "Home",
        "ArrowDown",
        "ArrowDown",
        "ArrowRight",
        "ArrowRight",
        "ArrowLeft",
        "ArrowLeft",
        "ArrowLeft",
    ]:
        keyboard.press(key)
        moves.append(look.selected())

    assert moves == ["answer", "agent", "plan", "query", "cost", "genie", "cost", "cost", "query"]
    assert look.page.locator(':focus [aria-expanded="false"] .name').all_inner_texts() == ["cost"]
    keyboard.press("ArrowUp")
    keyboard.press("Enter")
    assert "ask both" in look.page.locator(".panel:not([hidden])").inner_text()
    assert look.page.url.endswith("#span=tr-parallel/1")
    keyboard.press("Escape")
    assert look.page.locator("article:not([hidden]) .panel:not([hidden])").count() == 0


def test_arrows_move_between_tests(opened):
    look = opened()

    look.page.locator("h2 button").first.focus()
    found = []
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp"):
        look.page.keyboard.press(key)
        found.append(look.page.locator("h2 button:focus .test").inner_text().rpartition("::")[2])

    assert found == ["test_order", "test_slow", "test_order", "test_moved", "test_moved"]


def test_a_screen_reader_finds_a_tree(opened):
    look = opened("#trace=tr-parallel")
    wanted = ("aria-level", "aria-posinset", "aria-setsize", "aria-expanded")

    said = {
        row.locator(".name").inner_text(): [row.get_attribute(each) for each in wanted]
        for row in look.page.locator('[role="tree"][aria-label="Spans of trace agent"] [role="treeitem"]').all()
        if row.is_visible() and row.get_attribute("id").startswith("t2-")
    }

    assert said == {
        "agent": ["1", "1", "1", "true"],
        "plan": ["2", "1", "3", None],
        "query": ["2", "2", "3", "true"],
        "cost": ["3", "1", "2", "true"],
        "genie": ["4", "1", "1", None],
        "security": ["3", "2", "2", None],
        "answer": ["2", "3", "3", None],
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_has_nothing_to_say(opened, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    look = opened(color_scheme=scheme)

    look.open_all()
    look.click(".findings button")
    look.click("details:not([open]) > summary")
    found = axe.Axe().run(look.page).response

    assert [(each["id"], [where["html"] for where in each["nodes"]][:3]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


@pytest.mark.parametrize(
    ("fragment", "shown"),
    [
        ("#test=tests%2Ftest_b.py%3A%3Atest_fine", "other"),
        ("#test=tests/test_b.py::test_fine", "other"),
        ("#trace=tr-4", "second"),
        ("#trace=tr-parallel", "security"),
        ("#span=tr-parallel/3", "cost"),
    ],
)
def test_an_address_names_a_test_a_trace_or_a_span(opened, fragment, shown):
    look = opened(fragment)

    assert look.row(shown).is_visible()
    if fragment.startswith("#span"):
        assert look.selected() == shown
        assert look.page.locator(".panel:not([hidden]) h4").inner_text().startswith(shown)


def test_an_address_of_something_else_is_passed_over(opened):
    for fragment in ("#", "#test=none", "#span=%E0%A4%A", "#trace=", "#other"):
        assert names(opened(fragment).page)[0] == MOVED.name


@pytest.mark.parametrize(
    ("field", "value", "left"),
    [
        ("#by-test", "TEST_B.PY", [SLOW, CRASHED, FINE]),
        ("#by-outcome", "error", [CRASHED]),
        ("#by-span", "Genie", [MOVED, SLOW]),
        ("#by-rule", "budget.latency", [SLOW]),
    ],
)
def test_tests_are_filtered(opened, field, value, left):
    page = opened().page

    if field in ("#by-test", "#by-span"):
        page.locator(field).fill(value)
    else:
        page.locator(field).select_option(value)

    assert names(page) == [each.name for each in left]
    assert page.locator("#counts").inner_text().startswith(f"{len(left)} of 5 tests")
    if field == "#by-span":
        assert set(page.locator(".hit").all_inner_texts()) == {"genie", "genie  TOOL"}


def test_on_paper_all_rows_are_there_and_the_controls_are_not(opened, browser, tmp_path):
    wide = tree("agent", [f"step {k}" for k in range(300)], id="tr-wide")
    look = opened(at=written(tmp_path / "page.html", passing("test_wide", wide)))
    before = look.page.locator(".row").count()

    look.page.emulate_media(media="print")
    look.page.locator(".row").nth(300).wait_for()

    assert before < 100
    assert look.page.locator("#filters").is_hidden()
    assert look.page.locator('[role="tree"]').evaluate("(tree) => tree.scrollHeight - tree.clientHeight") < 5
    look.page.emulate_media(media="screen")
    look.row("step 299").wait_for(state="detached")


def deep_and_wide():
    """10,000 spans, one of which is renamed."""
    calls = [span(f"call {k % 7}") for k in range(99)]
    turn = [f"call {k % 7}" for k in range(99)]
    trace = tree(
        "agent",
        [part for k in range(100) for part in (f"turn {k}", turn if k != 50 else [*turn[:9], "odd", *turn[10:]])],
    )
    return trace, span("agent")[tuple(span(f"turn {k}")[tuple(calls)] for k in range(100))]


def test_of_ten_thousand_spans_only_what_is_to_be_seen_is_made(opened, tmp_path):
    trace, expected = deep_and_wide()
    look = opened(at=written(tmp_path / "page.html", failing("test_large", trace, expected)))
    rows = look.page.locator('[role="treeitem"]')
    tree_ = look.page.locator('[role="tree"]')

    assert len(trace.table) == 10_001
    assert rows.count() < 100
    assert look.page.locator('[aria-expanded="true"]:has(.name)').count() in (1, 2)  # what matches is closed
    look.page.locator(".findings button").first.click()
    assert look.selected() == "odd"
    assert look.page.locator('[aria-expanded="true"] .name').all_inner_texts() in (["turn 50"], ["agent", "turn 50"])
    tree_.evaluate("(tree) => { tree.scrollTop = tree.scrollHeight; }")
    look.row("turn 99").wait_for()
    assert rows.count() < 100


def test_levels_that_are_many_are_closed_where_nothing_is_marked(opened, tmp_path):
    trace, _ = deep_and_wide()
    look = opened(at=written(tmp_path / "page.html", passing("test_large", trace)))

    assert look.page.locator('[role="treeitem"]').count() < 60
    assert look.row("turn 3").get_attribute("aria-expanded") == "false"
    assert "99 below" in look.row("turn 3").inner_text()


def test_a_page_fits_a_narrow_screen(opened):
    look = opened(viewport={"width": 400, "height": 800})

    look.open_all()

    assert look.page.evaluate("document.documentElement.scrollWidth") <= 400


def test_what_stands_in_any_order_or_deep_or_is_unfinished_can_be_drawn(opened, tmp_path):
    deep = [f"level {k}" for k in range(40)]
    nested = []
    for name in reversed(deep):
        nested = [name, nested] if nested else [name]
    odd = trace_of([node("late @5-", span_id="a"), node("early @9-3", span_id="b")])
    entries = [
        failing("test_group", tree("agent", ["a"]), span("agent")[any_order(span("a"), span("b"))]),
        failing("test_deep", tree(*nested), span("level 0")[()]),
        Entry("test_odd", "failed", [odd, tree(id="tr-none")], True, findings=[Finding("r", "nowhere")]),
    ]
    look = opened(at=written(tmp_path / "page.html", *entries))

    look.open_all()

    assert look.page.get_by_text("depth 30").count() == 1
    assert look.page.get_by_text("It has no spans.").count() == 1
    assert "unfinished" in look.row("late").inner_text()
