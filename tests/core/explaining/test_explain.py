"""Every message that a failed comparison can give, word for word."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest
from dirty_equals import IsFloat

from pytest_mlflow_traces.core.explaining import explain
from pytest_mlflow_traces.core.patterns.constructors import any_order, one_of, optional, parallel, repeat, span
from tests.support.building import node, tree


def mismatch(trace, pattern):
    table = trace.table
    return explain.mismatch(table, pattern, table.roots(), "trace 'agent'")


def told(trace, pattern):
    return mismatch(trace, pattern).text()


def findings(trace, pattern):
    return [str(finding) for finding in mismatch(trace, pattern).findings]


def text(indented):
    return dedent(indented).strip("\n")


ORCHESTRATOR = tree(
    "orchestrator_invoke AGENT",
    [
        *("load_context MEMORY", ["retrieve_short_term RETRIEVER", "retrieve_long_term RETRIEVER"]),
        *("classify_intent CLASSIFIER", ["chat CHAT_MODEL"]),
        *("query_agents AGENT", ["cost_agent AGENT", ["genie_query TOOL"]]),
        "save_context MEMORY",
    ],
).to_pattern()
PLAN = tree("agent AGENT", ["plan", "search TOOL", ["attempt", ["http"]], "answer"]).to_pattern()


# -- shape -------------------------------------------------------------------------------------------------------------


def test_each_difference_has_its_mark_and_what_is_as_expected_is_folded():
    trace = tree(
        "orchestrator_invoke AGENT",
        [
            *("load_context MEMORY", ["retrieve_short_term RETRIEVER", "retrieve_long_term RETRIEVER"]),
            "classify_intent CLASSIFIER",
            *("query_agents AGENT", ["cost_agent CHAIN", ["genie_query TOOL"], "web_search TOOL"]),
            "save_context MEMORY",
        ],
    )

    assert told(trace, ORCHESTRATOR) == text("""
        trace 'agent' does not match: 1 missing, 1 unexpected, 1 different

          orchestrator_invoke  AGENT                      19 ms
          ├─ load_context  MEMORY  (2 below as expected)
          ├─ classify_intent  CLASSIFIER
        - │  └─ chat  CHAT_MODEL                          missing
          ├─ query_agents  AGENT
        ~ │  ├─ cost_agent  CHAIN  (1 below as expected)  type: expected 'AGENT', got 'CHAIN'
        + │  └─ web_search  TOOL                          unexpected
          └─ save_context  MEMORY
    """)
    assert findings(trace, ORCHESTRATOR) == [
        (
            "shape.missing at orchestrator_invoke > classify_intent: expected span('chat', type='CHAT_MODEL', "
            "status='OK')[()]"
        ),
        (
            "shape.different at orchestrator_invoke > query_agents > cost_agent: expected type: 'AGENT', got "
            "type: 'CHAIN'"
        ),
        "shape.unexpected at orchestrator_invoke > query_agents > web_search: got web_search TOOL",
    ]


def test_a_missing_subtree_is_one_difference_and_says_its_size():
    trace = tree("agent AGENT", ["plan", "answer"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 missing

          agent  AGENT        5 ms
          ├─ plan  UNKNOWN
        - ├─ search  TOOL     missing, with 2 spans below
          └─ answer  UNKNOWN
    """)
    assert findings(trace, PLAN) == [
        "shape.missing at agent: expected span('search', type='TOOL', status='OK')[span('attempt', ...",
    ]


def test_an_unexpected_subtree_is_one_difference_and_says_its_size():
    trace = tree("agent AGENT", ["plan", "cache", ["read", ["disk"]], "search TOOL", ["attempt", ["http"]], "answer"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 unexpected

          agent  AGENT                            17 ms
          ├─ plan  UNKNOWN
        + ├─ cache  UNKNOWN                       unexpected, with 2 spans below
          ├─ search  TOOL  (2 below as expected)
          └─ answer  UNKNOWN
    """)
    assert findings(trace, PLAN) == [
        "shape.unexpected at agent > cache: got cache UNKNOWN",
    ]


def test_a_span_put_around_others_is_one_difference():
    trace = tree("agent AGENT", ["RunnableSequence CHAIN", ["plan", "search TOOL", ["attempt", ["http"]]], "answer"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 unexpected

          agent  AGENT                                       13 ms
        + ├─ RunnableSequence  CHAIN  (4 below as expected)  unexpected; what is below belongs in its place
          └─ answer  UNKNOWN
    """)
    assert findings(trace, PLAN) == [
        (
            "shape.unexpected at agent > RunnableSequence: got RunnableSequence CHAIN (what is below belongs in "
            "its place)"
        ),
    ]


def test_a_span_gone_from_around_others_is_one_difference():
    trace = tree("agent AGENT", ["plan", "attempt", ["http"], "answer"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 missing

          agent  AGENT                                9 ms
          ├─ plan  UNKNOWN
        - ├─ search  TOOL                             missing; what belongs below it is here
          ├─ attempt  UNKNOWN  (1 below as expected)
          └─ answer  UNKNOWN
    """)
    assert findings(trace, PLAN) == [
        (
            "shape.missing at agent: expected span('search', type='TOOL', status='OK')[span('attempt', ... (what "
            "belongs below it stands one level up)"
        ),
    ]


def test_a_moved_subtree_names_both_parents():
    trace = tree("agent AGENT", ["plan", ["search TOOL", ["attempt", ["http"]]], "answer"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 moved

          agent  AGENT                               11 ms
          ├─ plan  UNKNOWN
        > │  └─ search  TOOL  (2 below as expected)  moved: belongs below 'agent'
        < ├─ search  TOOL                            moved: is below 'plan'
          └─ answer  UNKNOWN
    """)
    assert findings(trace, PLAN) == [
        "shape.moved at agent > plan > search: expected below agent, got below agent > plan",
    ]


def test_inside_what_is_unexpected_only_what_was_moved_there_is_shown():
    pattern = span("agent")[span("plan")[span("search")[span("http")]], span("answer")]
    trace = tree("agent", ["plan", "cache", ["look", "key", "search", ["http"], "store"], "answer"])

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 unexpected, 1 moved

          agent  UNKNOWN                                17 ms
          ├─ plan  UNKNOWN
        < │  └─ search                                  moved: is below 'cache'
        + ├─ cache  UNKNOWN                             unexpected, with 5 spans below
        > │  └─ search  UNKNOWN  (1 below as expected)  moved: belongs below 'plan'
          └─ answer  UNKNOWN
    """)


def test_what_belongs_below_a_span_that_is_missing_is_told_so_where_it_stands():
    pattern = span("root")[span("agent")[span("http"), span("plan"), span("look")], span("other")[()]]
    trace = tree("root", ["other", ["http"]])

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 missing, 1 moved

          root  UNKNOWN        5 ms
        - ├─ agent             missing, with 3 spans below
          └─ other  UNKNOWN
        >    └─ http  UNKNOWN  moved: belongs below 'agent', which is missing
    """)
    assert findings(trace, pattern)[1] == (
        "shape.moved at root > other > http: "
        "expected below 'agent', which is missing below root, got below root > other"
    )


def test_what_is_missing_below_a_span_that_is_gone_from_around_others_is_told_so():
    pattern = span("root")[span("agent")[span("a"), span("b"), span("c")], span("other")]

    assert told(tree("root", ["a", "b", "other"]), pattern) == text("""
        trace 'agent' does not match: 2 missing

          root  UNKNOWN      7 ms
        - ├─ agent           missing; what belongs below it is here
          ├─ a  UNKNOWN
          ├─ b  UNKNOWN
        - ├─ c               missing; belongs below 'agent', which is missing
          └─ other  UNKNOWN
    """)


def test_a_span_gone_from_around_others_of_which_one_is_renamed_is_two_differences():
    pattern = span("n0")[span("search")[span("rerank")[()], span("save")[()]], span("plan")[()]]

    assert told(tree("n0", ["rerank", "renamed", "plan"]), pattern) == text("""
        trace 'agent' does not match: 1 missing, 1 different

          n0  UNKNOWN          7 ms
        - ├─ search            missing; what belongs below it is here
          ├─ rerank  UNKNOWN
        ~ ├─ renamed  UNKNOWN  name: expected 'save', got 'renamed'
          └─ plan  UNKNOWN
    """)


def test_what_stands_beside_the_place_of_its_missing_parent_is_not_said_to_belong_where_it_is():
    pattern = span("root")[span("agent")[span("p")[span("http"), span("q")]], span("x")]
    told_of = findings(tree("root", ["http", "x"]), pattern)

    assert told_of[0] == ("shape.moved at root > http: expected below 'p', which is missing below root, got below root")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_siblings_that_a_sibling_took_below_it_are_moved_and_it_is_neither_missing_nor_a_wrapper(count):
    pattern = span("agent")[(span("stream")[()], *[span("show")] * count, span("end"))]
    trace = tree("agent", ["stream", ["show"] * count, "end"])

    assert [finding.split(":")[0] for finding in findings(trace, pattern)] == [
        f"shape.moved at agent > stream > show{f'[{k}]' if k > 1 else ''}" for k in range(1, count + 1)
    ]


def test_siblings_that_changed_places_are_out_of_order():
    trace = tree("agent AGENT", ["answer", "search TOOL", ["attempt", ["http"]], "plan"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 out of order

          agent  AGENT                            11 ms
        ^ ├─ answer  UNKNOWN                      out of order: belongs at the end
          ├─ search  TOOL  (2 below as expected)
        ^ └─ plan  UNKNOWN                        out of order: belongs before 'search'
    """)
    assert findings(trace, PLAN) == [
        "shape.order at agent: expected plan, search, answer, got answer, search, plan",
    ]


def test_of_siblings_of_one_name_it_is_said_which_a_span_belongs_after():
    trace = tree("agent", ["plan", "search", "search", "answer"])
    pattern = span("agent")[span("search"), span("plan"), span("search"), span("answer")]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 out of order

          agent  UNKNOWN      9 ms
        ^ ├─ plan  UNKNOWN    out of order: belongs after 'search'
          ├─ search  UNKNOWN
          ├─ search  UNKNOWN
          └─ answer  UNKNOWN
    """)


def test_it_is_said_where_spans_are_out_of_order_that_overlap_in_time():
    trace = tree("agent", ["model @0-50", "audit @0-20", "search @60-70"])
    pattern = span("agent")[span("audit"), span("model"), span("search")]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 out of order

          agent  UNKNOWN      1 ms
        ^ ├─ model  UNKNOWN   out of order: belongs after 'audit'
          │                   'model' and 'audit' overlap in time: any_order(...) takes them as they come
          ├─ audit  UNKNOWN
          └─ search  UNKNOWN
    """)
    assert findings(trace, pattern) == [
        (
            "shape.order at agent: expected audit, model, search, got model, audit, search (they overlap in time: "
            "any_order(...) takes them as they come)"
        ),
    ]


@pytest.mark.parametrize(
    ("below", "says"),
    [
        (["check_policies", "answer"], "none; did you mean 'check_policies'?"),
        (["plan", ["check_policy TOOL"]], "none: agent > plan > check_policy differs in type"),
        (["check_policy GUARDRAIL ERROR", ["http"]], "none: agent > check_policy differs in status"),
        (["plan"], "none"),
    ],
)
def test_what_is_nowhere_below_is_said_with_what_comes_near(below, says):
    pattern = span("agent", has=span("check_policy", type="GUARDRAIL", status="OK"))

    (finding,) = findings(tree("agent", below), pattern)

    assert finding.endswith(f"below, got has: {says}")


def test_of_a_span_that_is_there_with_other_children_that_is_said():
    pattern = span("agent", has=span("plan")[span("search")])

    assert findings(tree("agent", ["plan", ["answer"]]), pattern)[0].endswith("none: agent > plan differs in children")
    assert findings(tree("agent", ["answer"]), span("agent", has=span("plan") | span("search")))[0].endswith("none")


def test_a_sibling_that_comes_too_late_is_out_of_order():
    trace = tree("agent AGENT", ["search TOOL", ["attempt", ["http"]], "answer", "plan"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 1 out of order

          agent  AGENT                            11 ms
          ├─ search  TOOL  (2 below as expected)
          ├─ answer  UNKNOWN
        ^ └─ plan  UNKNOWN                        out of order: belongs before 'search'
    """)


def test_a_second_root_is_unexpected_and_a_missing_one_missing():
    trace = tree("agent AGENT", "stray TOOL")

    assert told(trace, span("agent")) == text("""
        trace 'agent' does not match: 1 unexpected

          agent  AGENT  1 ms
        + stray  TOOL   1 ms
                        unexpected
    """)
    assert told(trace, any_order(span("agent"), span("stray"), span("other"))) == text("""
        trace 'agent' does not match: 1 missing

          agent  AGENT  1 ms
          stray  TOOL   1 ms
        - other         missing
    """)
    assert findings(trace, any_order(span("agent"), span("stray"), span("other"))) == [
        "shape.missing at trace 'agent': expected span('other')",
    ]


def test_a_trace_without_spans_says_so():
    assert told(tree(), span("agent")) == text("""
        trace 'agent' has no spans

        expected span('agent')
    """)
    assert findings(tree(), span("agent")) == [
        "shape.missing at trace 'agent': expected span('agent'), got no spans",
    ]


def test_one_span_is_compared_by_itself():
    trace = tree("agent", ["search TOOL", ["http"]])

    explanation = explain.mismatch(trace.table, span("search")[span("https")], [1], "span 'search'")

    assert explanation.text() == text("""
        span 'search' does not match: 1 different

          search  TOOL      3 ms
        ~ └─ http  UNKNOWN  name: expected 'https', got 'http'
    """)


def test_a_trace_of_another_program_is_told_as_such():
    trace = tree("billing CHAIN", ["charge TOOL", "mail TOOL", "log TOOL"])

    assert told(trace, PLAN) == text("""
        trace 'agent' does not match: 3 missing, 3 unexpected, 1 different

        ~ billing  CHAIN      7 ms
          │                   name: expected 'agent', got 'billing'
          │                   type: expected 'AGENT', got 'CHAIN'
        - ├─ plan  UNKNOWN    missing
        + ├─ charge  TOOL     unexpected
        + ├─ mail  TOOL       unexpected
        + ├─ log  TOOL        unexpected
        - ├─ search  TOOL     missing, with 2 spans below
        - └─ answer  UNKNOWN  missing
    """)


# -- the forms of the language -----------------------------------------------------------------------------------------


def test_too_few_and_too_many_of_a_repeated_span_are_counted():
    trace = tree("agent", ["attempt", "attempt", "attempt"])

    assert told(trace, span("agent")[repeat(span("attempt"), min=5)]) == text("""
        trace 'agent' does not match: 1 missing

          agent  UNKNOWN       7 ms
          ├─ attempt  UNKNOWN
          ├─ attempt  UNKNOWN
          ├─ attempt  UNKNOWN
        - └─ attempt           missing: expected at least 5, got 3
    """)
    assert findings(trace, span("agent")[repeat(span("attempt"), min=5)]) == [
        "shape.missing at agent: expected at least 5 of span('attempt'), got 3",
    ]
    assert told(trace, span("agent")[repeat(span("attempt"), max=2)]) == text("""
        trace 'agent' does not match: 1 unexpected

          agent  UNKNOWN       7 ms
          ├─ attempt  UNKNOWN
          ├─ attempt  UNKNOWN
        + └─ attempt  UNKNOWN  unexpected: more than 2
    """)
    assert findings(trace, span("agent")[repeat(span("attempt"), max=2)]) == [
        "shape.unexpected at agent > attempt[3]: expected at most 2 of span('attempt'), got attempt UNKNOWN",
    ]


def test_a_missing_alternative_shows_all_of_them():
    trace = tree("agent", ["plan"])

    assert told(trace, span("agent")[span("plan"), one_of(span("cache_hit"), span("search", type="TOOL"))]) == text("""
        trace 'agent' does not match: 1 missing

          agent  UNKNOWN                                             3 ms
          ├─ plan  UNKNOWN
        - └─ one_of(span('cache_hit'), span('search', type='TOOL'))  missing
    """)


def test_a_group_in_any_order_says_what_is_missing_unexpected_and_different():
    trace = tree("agent", ["c TOOL", "x", "b LLM"])
    pattern = span("agent")[any_order(span("a"), span("b", type="TOOL"), span("c"), optional(span("d")))]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 2 different

          agent  UNKNOWN  7 ms
          ├─ c  TOOL
        ~ ├─ x  UNKNOWN   name: expected 'a', got 'x'
        ~ └─ b  LLM       type: expected 'TOOL', got 'LLM'
    """)


def test_a_gap_takes_what_is_there_but_nothing_stands_for_what_is_missing():
    trace = tree("agent", ["a", "b", "c", "d"])

    assert told(trace, span("agent")[..., span("c"), ..., span("x"), ...]) == text("""
        trace 'agent' does not match: 1 missing

          agent  UNKNOWN  9 ms
          ├─ a  UNKNOWN
          ├─ b  UNKNOWN
          ├─ c  UNKNOWN
          ├─ d  UNKNOWN
        - └─ x            missing
    """)


def test_spans_that_do_not_overlap_are_not_in_parallel():
    trace = tree("agent @0-20", ["cost_agent @1-5", "security_agent @8-12"])
    pattern = span("agent")[parallel(span("cost_agent"), span("security_agent"))]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 not in parallel

          agent  UNKNOWN              20 ms
          ├─ cost_agent  UNKNOWN
        ~ └─ security_agent  UNKNOWN  not in parallel: starts 3 ms after the end of 'cost_agent'
    """)
    assert findings(trace, pattern) == [
        (
            "shape.parallel at agent: expected 'cost_agent' and 'security_agent' to overlap in time, got "
            "'security_agent' 3 ms after the end of 'cost_agent'"
        ),
    ]


def test_children_that_fit_piece_by_piece_but_not_as_a_whole_are_told_as_a_whole():
    trace = tree("agent", ["a", "b"])
    pattern = span("agent")[repeat(any_order(span("a"), span("b")), min=2)]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 different

        ~ agent  UNKNOWN  (2 below)  5 ms
                                     children: expected [repeat(any_order(span('a'), span('b')), min=2)], got a, b
    """)
    assert findings(trace, pattern) == [
        (
            "shape.different at agent: expected children: [repeat(any_order(span('a'), span('b')), min=2)], got "
            "children: a, b"
        ),
    ]


# -- fields ------------------------------------------------------------------------------------------------------------


def test_each_field_that_differs_has_a_line_of_its_own_and_the_span_is_one_finding():
    trace = tree("agent", [node("search TOOL ERROR", outputs="nothing"), "answer"])
    pattern = span("agent")[span("search", type="AGENT", status="OK", outputs="found"), span("answer")]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN      5 ms
        ~ ├─ search  TOOL     type: expected 'AGENT', got 'TOOL'
          │                   status: expected 'OK', got 'ERROR'
          │                   outputs: expected 'found', got 'nothing'
          └─ answer  UNKNOWN
    """)
    assert findings(trace, pattern) == [
        (
            "shape.different at agent > search: expected type: 'AGENT'; status: 'OK'; outputs: 'found', got "
            "type: 'TOOL'; status: 'ERROR'; outputs: 'nothing'"
        ),
    ]


def test_notes_of_a_span_with_children_leave_the_branches_whole():
    trace = tree("agent CHAIN", ["search TOOL ERROR", ["http", ["dns"]]])
    pattern = span("agent", type="AGENT")[span("search", type="AGENT", status="OK")[span("http")[()]]]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 unexpected, 2 different

        ~ agent  CHAIN           7 ms
          │                      type: expected 'AGENT', got 'CHAIN'
        ~ └─ search  TOOL        type: expected 'AGENT', got 'TOOL'
             │                   status: expected 'OK', got 'ERROR'
             └─ http  UNKNOWN
        +       └─ dns  UNKNOWN  unexpected
    """)


def test_a_name_or_type_can_be_an_expression():
    trace = tree("agent", ["genie_attempt TOOL"])

    assert told(trace, span("agent")[span(re.compile(r"genie_\d+"), type=re.compile("T.*"))]) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN          3 ms
        ~ └─ genie_attempt  TOOL  name: expected /genie_\\d+/, got 'genie_attempt'
    """)


def test_an_attribute_that_is_absent_is_not_none():
    trace = tree("agent", [node("chat", attributes={"model": None, "temperature": 0.5})])
    pattern = span("agent")[span("chat", attributes={"model": "gpt", "top_p": None, "temprature": 0.5})]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN    3 ms
        ~ └─ chat  UNKNOWN  attributes['model']: expected 'gpt', got None
                            attributes['top_p']: expected None, got absent
                            attributes['temprature']: expected 0.5
                                                           got absent; did you mean 'temperature'?
    """)


def test_of_containers_the_place_that_differs_is_named():
    outputs = {"domains": ["COST", "security"], "confidence": 0.4, "more": {"deep": [1, {"x": 2}]}}
    trace = tree("agent", [node("classify", outputs=outputs)])
    expected = {"domains": ["cost", "security"], "confidence": IsFloat(ge=0.5), "more": {"deep": [1, {"x": 3}]}}

    assert told(trace, span("agent")[span("classify", outputs=expected)]) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN        3 ms
        ~ └─ classify  UNKNOWN  outputs['domains'][0]: expected 'cost', got 'COST'
                                outputs['confidence']: expected IsFloat(ge=0.5), got 0.4
                                outputs['more']['deep'][1]['x']: expected 3, got 2
    """)


def test_keys_and_items_that_are_there_on_one_side_only_are_named():
    trace = tree("agent", [node("classify", inputs={"b": 2}, outputs=[1, 3, 4])])

    assert told(trace, span("agent")[span("classify", inputs={"a": 1}, outputs=[1, 2])]) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN        3 ms
        ~ └─ classify  UNKNOWN  inputs['a']: expected 1, got absent
                                inputs['b']: expected absent, got 2
                                outputs: expected 2 items, got 3 items
                                outputs[1]: expected 2, got 3
    """)


def test_of_many_places_the_first_are_told():
    trace = tree("agent", [node("classify", outputs=list(range(50)))])

    assert told(trace, span("agent")[span("classify", outputs=list(range(1, 51)))]) == text("""
        trace 'agent' does not match: 1 different

          agent  UNKNOWN        3 ms
        ~ └─ classify  UNKNOWN  outputs[0]: expected 1, got 0
                                outputs[1]: expected 2, got 1
                                outputs[2]: expected 3, got 2
                                outputs: 47 more places differ
    """)


def test_a_whole_value_is_told_where_the_two_are_no_containers_alike():
    trace = tree("agent", [node("a", outputs=None), node("b", outputs="3"), node("c", outputs=[1])])
    pattern = span("agent")[span("a", outputs={}), span("b", outputs=3), span("c", outputs={"a": 1})]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 3 different

          agent  UNKNOWN  7 ms
        ~ ├─ a  UNKNOWN   outputs: expected {}, got None
        ~ ├─ b  UNKNOWN   outputs: expected 3, got '3'
        ~ └─ c  UNKNOWN   outputs: expected {'a': 1}, got [1]
    """)


def test_a_span_that_ends_before_it_starts_is_told():
    said = told(tree("a @9-4"), span("a", within="1ms"))

    assert said.endswith("within: expected at most 1 ms, got -5 ms, it ends before it starts")


def test_a_time_just_over_its_limit_is_told_with_all_its_digits():
    assert told(tree("a @0-2000.001"), span("a", within="2s")).endswith("within: expected at most 2 s, got 2.000001 s")
    assert told(tree("a @0-1"), span("a", within="1us")).endswith("within: expected at most 1 µs, got 1 ms")


def test_a_tuple_and_a_list_differ_only_in_what_they_hold():
    trace = tree(node("a", inputs={"rows": [1, (2, 3)]}, attributes={"otel": ("x", "y")}))

    assert trace == span("a", inputs={"rows": (1, [2, 3])}, attributes={"otel": ["x", "y"]})
    said = told(trace, span("a", inputs={"rows": (1, [2, 4])}, attributes={"otel": ["x", "z"]}))
    assert "inputs['rows'][1][1]: expected 4, got 3" in said
    assert "attributes['otel'][1]: expected 'z', got 'y'" in said


def test_long_values_are_shown_from_where_they_differ_and_without_their_middle():
    trace = tree("agent", [node("a", outputs="x" * 200 + "here" + "y" * 200), node("b", outputs=list(range(999)))])
    pattern = span("agent")[span("a", outputs="x" * 200 + "there" + "y" * 200), span("b", outputs="short")]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 2 different

          agent  UNKNOWN  5 ms
        ~ ├─ a  UNKNOWN   outputs: expected '...xxxxxxxxxxxxthereyyyyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyy'
          │                             got '...xxxxxxxxxxxxhereyyyyyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyy'
        ~ └─ b  UNKNOWN   outputs: expected 'short'
                                        got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...]
    """)


def test_errors_are_told_by_name_and_message():
    trace = tree("agent", [node("a", error="net.TimeoutError"), "b", "c ERROR", node("d", error="KeyError")])
    pattern = span("agent")[
        span("a", error=ValueError), span("b", error=True), span("c", error="KeyError"), span("d", error=False)
    ]

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 4 different

          agent  UNKNOWN  9 ms
        ~ ├─ a  UNKNOWN   error: expected ValueError, got net.TimeoutError: went wrong
        ~ ├─ b  UNKNOWN   error: expected an error, got no error
        ~ ├─ c  UNKNOWN   error: expected KeyError, got an error without an exception
        ~ └─ d  UNKNOWN   error: expected no error, got KeyError: went wrong
    """)


def test_durations_are_told_as_they_were():
    trace = tree("agent @0-9000", ["slow @0-1234", "open @1-"])

    assert told(trace, span("agent")[span("slow", within="800ms"), span("open", within="2s")]) == text("""
        trace 'agent' does not match: 2 different

          agent  UNKNOWN    9 s
        ~ ├─ slow  UNKNOWN  within: expected at most 800 ms, got 1.23 s
        ~ └─ open  UNKNOWN  within: expected at most 2 s, got an unfinished span
    """)


def test_descendants_that_are_asked_for_or_ruled_out_are_named():
    trace = tree("agent", ["search", ["http", "http"], "answer"])
    pattern = span("agent", has=(span("search"), span("cache")), lacks=span("http"))

    assert told(trace, pattern) == text("""
        trace 'agent' does not match: 1 different

        ~ agent  UNKNOWN  (4 below)  9 ms
                                     has: expected span('cache') below, got none
                                     lacks: expected no span('http') below
                                                 got agent > search > http and 1 more
    """)
    assert findings(trace, pattern) == [
        (
            "shape.different at agent: expected has: span('cache') below; lacks: no span('http') below, got has: "
            "none; lacks: agent > search > http and 1 more"
        ),
    ]


# -- hints -------------------------------------------------------------------------------------------------------------


def test_a_type_that_nobody_knows_gets_a_hint():
    trace = tree("agent AGENT", ["classify CLASSIFIER"])

    assert told(trace, span("agent", type="AGNET")) == text("""
        trace 'agent' does not match: 1 different

        ~ agent  AGENT  (1 below as expected)  3 ms
                                               type: expected 'AGNET', got 'AGENT'
        hint: neither MLflow nor this trace has a span type 'AGNET'; did you mean 'AGENT'?
    """)
    assert findings(trace, span("agent", type="AGNET")) == [
        (
            "shape.different at agent: expected type: 'AGNET', got type: 'AGENT' (neither MLflow nor this trace "
            "has a span type 'AGNET'; did you mean 'AGENT'?)"
        ),
    ]


def test_a_type_of_mlflow_or_of_the_trace_gets_no_hint():
    trace = tree("agent AGENT", ["classify CLASSIFIER"])

    assert "hint" not in told(trace, span("agent", type="TASK"))
    assert "hint" not in told(trace, span("agent", type="CLASSIFIER"))


def test_a_name_that_is_not_in_the_trace_gets_the_nearest():
    trace = tree("agent", ["genie_query"])

    assert told(trace, span("agent")[..., span("genie_qurey"), ..., span("zebra")]) == text("""
        trace 'agent' does not match: 2 missing

          agent  UNKNOWN           3 ms
          ├─ genie_query  UNKNOWN
        - ├─ genie_qurey           missing
        - └─ zebra                 missing
        hint: no span of this trace is called 'genie_qurey'; did you mean 'genie_query'?
    """)


# -- room --------------------------------------------------------------------------------------------------------------


def test_of_many_siblings_the_neighbours_of_a_difference_are_shown():
    names = [f"step_{k}" for k in range(60)]
    expected = tree("agent", [*names[:30], ["below"], *names[30:]])
    trace = tree("agent", [*names[:30], ["below"], *names[30:40], "extra", *names[40:]])

    assert told(trace, expected.to_pattern()) == text("""
        trace 'agent' does not match: 1 unexpected

          agent  UNKNOWN                                     125 ms
          ├─ ... 39 spans as expected (40 with those below)
          ├─ step_39  UNKNOWN
        + ├─ extra  UNKNOWN                                  unexpected
          ├─ step_40  UNKNOWN
          └─ ... 19 spans as expected
    """)


def test_of_a_long_descent_the_ends_are_shown():
    def chain(bottom):
        spans = [f"level_{bottom}"]
        for depth in range(99, 0, -1):
            spans = [f"level_{depth}", spans]
        return tree(*spans)

    assert told(chain("new"), chain("old").to_pattern()) == text("""
        trace 'agent' does not match: 1 different

          level_1  UNKNOWN                         199 ms
          └─ level_2  UNKNOWN
             └─ level_3  UNKNOWN
                └─ ... 93 levels as expected ...
                   └─ level_97  UNKNOWN
                      └─ level_98  UNKNOWN
                         └─ level_99  UNKNOWN
        ~                   └─ level_new  UNKNOWN  name: expected 'level_old', got 'level_new'
    """)


def test_of_many_differences_the_first_are_shown_and_the_rest_counted():
    expected = tree("agent", [f"step_{k}" for k in range(200)])
    trace = tree("agent", [f"step_{k}" if k % 4 else f"other_{k}" for k in range(200)])
    explanation = mismatch(trace, expected.to_pattern())

    assert explanation.text() == text("""
        trace 'agent' does not match: 50 different

          agent  UNKNOWN              401 ms
        ~ ├─ other_0  UNKNOWN         name: expected 'step_0', got 'other_0'
          ├─ ... 3 spans as expected
        ~ ├─ other_4  UNKNOWN         name: expected 'step_4', got 'other_4'
          ├─ ... 3 spans as expected
        ~ ├─ other_8  UNKNOWN         name: expected 'step_8', got 'other_8'
          ├─ ... 3 spans as expected
        ~ ├─ other_12  UNKNOWN        name: expected 'step_12', got 'other_12'
          ├─ ... 3 spans as expected
        ~ ├─ other_16  UNKNOWN        name: expected 'step_16', got 'other_16'
          ├─ ... 3 spans as expected
        ~ ├─ other_20  UNKNOWN        name: expected 'step_20', got 'other_20'
          ├─ ... 3 spans as expected
        ~ ├─ other_24  UNKNOWN        name: expected 'step_24', got 'other_24'
          ├─ ... 3 spans as expected
        ~ ├─ other_28  UNKNOWN        name: expected 'step_28', got 'other_28'
          ├─ ... 3 spans as expected
        ~ ├─ other_32  UNKNOWN        name: expected 'step_32', got 'other_32'
          ├─ ... 3 spans as expected
        ~ ├─ other_36  UNKNOWN        name: expected 'step_36', got 'other_36'
          └─ ... 163 more spans
        ... 40 more differences, -vv shows all
    """)
    assert len(explanation.findings) == 50
    assert len(explanation.lines(verbose=True)) > 150
    assert explanation.lines(verbose=True)[-1] == "  └─ ... 2 spans as expected"


def test_names_that_a_terminal_would_obey_are_escaped():
    trace = tree(node("agent"), [node("red", name="\x1b[31mred\nline"), node("long", name="x" * 300)])

    assert told(trace, span("agent")[span("red"), span(type="TOOL")]) == text("""
        trace 'agent' does not match: 2 different

          agent  UNKNOWN                                        5 ms
        ~ ├─ \\x1b[31mred\\nline  UNKNOWN                         name: expected 'red', got '\\x1b[31mred\\nline'
        ~ └─ xxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxx  UNKNOWN  type: expected 'TOOL', got 'UNKNOWN'
    """)


# -- `in` and `not in` -------------------------------------------------------------------------------------------------

SEARCHES = tree(
    "agent AGENT",
    ["search TOOL ERROR", "search TOOL", ["http"], "answer LLM", ["search TOOL", ["cache"], "chat CHAT_MODEL"]],
)


def absent(pattern):
    return explain.absent(SEARCHES.table, pattern, "trace 'agent'")


def test_of_spans_with_that_name_the_nearest_are_shown_and_why_they_fail():
    assert absent(span("search", type="TOOL", status="UNSET")).text() == text("""
        trace 'agent' has no span('search', type='TOOL', status='UNSET')

        nearest:
          agent > search  TOOL
              status: expected 'UNSET', got 'ERROR'
          agent > search[2]  TOOL
              status: expected 'UNSET', got 'OK'
          agent > answer > search  TOOL
              status: expected 'UNSET', got 'OK'
    """)
    assert [str(each) for each in absent(span("search", status="UNSET")).findings] == [
        (
            "shape.missing at trace 'agent': expected span('search', status='UNSET'), got no such span (nearest: "
            "agent > search)"
        ),
    ]


def test_of_many_spans_with_that_name_the_others_are_counted():
    trace = tree("agent", ["search"] * 5)
    lines = explain.absent(trace.table, span("search", type="TOOL"), "trace 'agent'").lines()

    assert "... 2 more spans of that name" in lines
    assert sum(line.startswith("  agent > search") for line in lines) == 3


def test_what_is_below_a_near_miss_is_shown_as_a_tree():
    assert absent(span("search", status="OK")[span("http"), span("parse")]).text() == text("""
        trace 'agent' has no span('search', status='OK')[span('http'), span('parse')]

        nearest:
          agent > search[2]  TOOL
              search  TOOL      3 ms
              ├─ http  UNKNOWN
            - └─ parse          missing
          agent > search  TOOL
            ~ search  TOOL  1 ms  ERROR
              │             status: expected 'OK', got 'ERROR'
            - ├─ http       missing
            - └─ parse      missing
          agent > answer > search  TOOL
              search  TOOL       3 ms
            - ├─ http            missing
            ~ └─ cache  UNKNOWN  name: expected 'parse', got 'cache'
    """)


def test_a_name_much_like_the_one_asked_for_comes_near():
    assert absent(span("serach", type="TOOL")).text() == text("""
        trace 'agent' has no span('serach', type='TOOL')

        nearest:
          agent > search  TOOL
              name: expected 'serach', got 'search'
          agent > search[2]  TOOL
              name: expected 'serach', got 'search'
          agent > answer > search  TOOL
              name: expected 'serach', got 'search'
        hint: no span of this trace is called 'serach'; did you mean 'search'?
    """)


def test_without_a_name_spans_of_that_type_come_near():
    assert absent(span(type="LLM", status="ERROR")).text() == text("""
        trace 'agent' has no span(type='LLM', status='ERROR')

        nearest:
          agent > answer  LLM
              status: expected 'ERROR', got 'OK'
    """)


def test_where_nothing_comes_near_the_names_are_listed():
    assert absent(span("zebra")).text() == text("""
        trace 'agent' has no span('zebra')

        its spans are agent, search, http, answer, cache, chat
    """)


def test_each_alternative_has_its_near_misses():
    assert absent(span("answer", type="TOOL") | span("chat", type="LLM")).text() == text("""
        trace 'agent' has no one_of(span('answer', type='TOOL'), span('chat', type='L ...

        nearest:
          agent > answer  LLM
              type: expected 'TOOL', got 'LLM'
          agent > answer > chat  CHAT_MODEL
              type: expected 'LLM', got 'CHAT_MODEL'
    """)


def test_an_empty_trace_has_nothing_near():
    assert explain.absent(tree().table, span("search"), "trace 'agent'").text() == text("""
        trace 'agent' has no spans

        expected span('search')
    """)


def test_what_is_found_and_must_not_be_is_listed_with_its_path():
    explanation = explain.present(SEARCHES.table, span("search"), "trace 'agent'")

    assert explanation.text() == text("""
        trace 'agent' has 3 spans like span('search'), expected none

          agent > search  TOOL  1 ms  ERROR
          agent > search[2]  TOOL  3 ms
          agent > answer > search  TOOL  3 ms
    """)
    assert [str(each) for each in explanation.findings] == [
        "shape.unexpected at agent > search: expected no span('search'), got search  TOOL",
        "shape.unexpected at agent > search[2]: expected no span('search'), got search  TOOL",
        "shape.unexpected at agent > answer > search: expected no span('search'), got search  TOOL",
    ]


def test_of_much_that_is_found_the_first_are_listed():
    table = tree("agent", ["search"] * 200).table
    explanation = explain.present(table, span("search"), "trace 'agent'")

    assert len(explanation.lines()) == 25
    assert explanation.lines()[-1] == "... 178 more, -vv shows all"
    assert len(explanation.lines(verbose=True)) == 202
    assert len(explanation.findings) == 101
    assert (
        str(explanation.findings[-1])
        == "shape.unexpected at trace 'agent': expected no span('search'), got 100 more such spans"
    )


def test_an_explanation_is_frozen():
    with pytest.raises(AttributeError):
        absent(span("x")).findings = ()
