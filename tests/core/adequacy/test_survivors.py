"""What nothing notices: hand-made weak expectations have exactly the survivors that they should have."""

from __future__ import annotations

import itertools
from random import Random

import pytest

from pytest_mlflow_traces import (
    Budget,
    Contract,
    TraceAssertionError,
    any_order,
    assert_trace,
    each,
    if_present,
    never,
    optional,
    span,
)
from pytest_mlflow_traces.core.adequacy.asking import answer
from pytest_mlflow_traces.core.adequacy.judging import MutantJudge
from pytest_mlflow_traces.core.adequacy.mutants import DEFAULT, mutants
from pytest_mlflow_traces.core.adequacy.survivors import Survivors, percent, sentence
from pytest_mlflow_traces.core.contracts import check
from pytest_mlflow_traces.core.questions import Questions
from tests.support.building import node, tree

AGENT = span("agent")


def policed():
    return tree("agent AGENT", ["check_policy GUARDRAIL", "search TOOL", "answer"])


def judged(*tests, classes=DEFAULT):
    """Return the survivors of some tests, each of which makes a trace and asks it something."""
    survivors, judge = Survivors(classes), MutantJudge(classes)
    for number, test in enumerate(tests):
        questions = Questions()
        with questions.listening():
            trace = test()
        survivors.add(f"test {number}", judge.judge(questions.asked, [] if trace is None else [trace]))
    return survivors


def said(survivors):
    return {sentence(each) for each in survivors.survivors()}


def asserting(trace, *expectations):
    def test():
        made = trace()
        assert_trace(made, *expectations)
        return made

    return test


def test_what_is_never_asked_about_has_all_its_mutants_alive():
    survivors = judged(policed)

    assert said(survivors) == {
        "nothing notices what happens to `agent`",
        "nothing notices what happens to `check_policy`",
        "nothing notices what happens to `search`",
        "nothing notices what happens to `answer`",
    }
    assert (survivors.noticed, survivors.percent) == (0, 0.0)


def test_a_strict_pattern_has_no_survivor():
    survivors = judged(asserting(policed, policed().to_pattern()))

    assert said(survivors) == set()
    assert survivors.total == survivors.noticed > 20
    assert survivors.percent == 100


def test_a_gap_leaves_what_it_stands_for_unnoticed():
    weak = span("agent", type="AGENT", status="OK")[..., span("answer", type="UNKNOWN", status="OK")[()]]

    others = "has another name, has another type or ends in an error"
    assert said(judged(asserting(policed, weak))) == {
        "nothing notices what happens to `check_policy`",
        f"nothing notices when `search` is gone, is there twice, is inside `check_policy`, {others}",
        "nothing notices when `answer` is there twice",
    }


def test_what_a_pattern_does_not_say_of_a_span_is_not_noticed():
    weak = AGENT[span("check_policy"), span("search"), span("answer")]

    assert said(judged(asserting(policed, weak))) == {
        f"nothing notices when `{name}` has another type or ends in an error"
        for name in ("agent", "check_policy", "search", "answer")
    }


@pytest.mark.parametrize(
    ("expectation", "survivor"),
    [
        (AGENT[optional(span("check_policy")), span("search"), span("answer")], "`check_policy` is gone"),
        (AGENT[any_order(span("check_policy"), span("search")), span("answer")], "`check_policy` comes after `search`"),
        (span(type="AGENT")[..., span("answer")], "`agent` has another name"),
    ],
)
def test_each_freedom_of_a_pattern_is_a_survivor(expectation, survivor):
    def phrases(survivors):
        return {f"{each.subject} {phrase}" for each in survivors.survivors() for phrase in each.phrases}

    assert survivor in phrases(judged(asserting(policed, expectation)))
    assert survivor not in phrases(judged(asserting(policed, policed().to_pattern())))


def test_a_rule_of_order_notices_order_and_nothing_else():
    rule = each(span("answer")).after(span("check_policy"))
    survivors = judged(asserting(policed, rule))

    noticed = {key for score in survivors.shapes for key in score.noticed}
    assert noticed == {
        ("gone", 1, ""),
        ("gone", 3, ""),
        ("renamed", 1, ""),
        ("renamed", 3, ""),
    }


def test_what_is_forbidden_is_asked_whatever_the_answer_was():
    def test():
        trace = tree("agent", ["renamed"])
        assert span("gone_astray") not in trace
        assert span("renamed") in trace
        return trace

    assert ("renamed", 1, "") in {key for score in judged(test).shapes for key in score.noticed}


def test_an_answer_that_changes_is_noticed_whichever_it_was():
    survivors = judged(lambda: AGENT[...] not in (trace := tree("agent", ["plan"])) or trace)

    assert ("renamed", 0, "") in {key for score in survivors.shapes for key in score.noticed}


def test_what_one_test_notices_no_other_has_to():
    strict = asserting(policed, policed().to_pattern())
    for tests in itertools.permutations([policed, strict, asserting(policed, AGENT)]):
        assert judged(*tests).percent == 100


def test_an_expectation_is_asked_of_three_traces_of_a_shape_for_an_edit():
    asked = []

    class Looking:
        def check(self, trace):
            asked.append(trace)
            return []

    looking = Looking()
    judged(*[asserting(lambda: tree("agent"), looking)] * 9, classes=("status",))

    # by the tests, again before any edit, and of the one mutant
    assert len(asked) == 9 + 9 + 3


def test_the_order_of_what_overlapped_makes_no_other_shape():
    def one_order():
        return tree("agent @0-9", ["cost @1-5", ["ask-11111 @2-3"], "security @2-6", "answer @7-8"])

    def another():
        trace = tree("agent @0-9", ["security @1-5", "cost @2-6", ["ask-22222 @3-4"], "answer @7-8"])
        assert trace == AGENT[span("security"), span("cost"), ...]
        return trace

    survivors = judged(one_order, another, lambda: tree("agent @0-9", ["cost @1-5", "security @2-6", "answer @7-8"]))

    first, second = sorted(survivors.shapes, key=lambda each: -len(each.names))
    assert (sum(first.traces.values()), [*first.names][:1], len(second.names)) == (2, ["agent"], 4)
    noticed = {(edit, first.names[place]) for edit, place, _ in first.noticed}
    assert ("gone", "cost") in noticed
    assert ("gone", "answer") not in noticed


def test_survivors_are_counted_by_traces_and_tests():
    def twice():
        assert_trace([policed(), tree("agent AGENT", ["plan"])], AGENT)
        return policed()

    weak = AGENT[span("check_policy"), ...]
    survivors = judged(twice, asserting(policed, AGENT), asserting(policed, weak))

    found = {each.subject: each for each in survivors.survivors() if each.tests == 3}
    assert (found["`search`"].traces, len(found["`search`"].shapes)) == (3, 1)
    assert [score.name for score in survivors.shapes] == ["agent", "agent"]


def test_one_of_several_of_a_name_is_told_from_all():
    weak = AGENT[span("search")[()], ...]
    several = judged(asserting(lambda: tree("agent", ["search", "search"]), weak))

    assert "nothing notices when one of several `search` is gone" not in said(several)
    assert any(
        "one of several `search` ends" in each or "one of several `search` has" in each for each in said(several)
    )


def test_a_contract_that_applies_to_no_trace_any_more_does_not_hold():
    contract = Contract("policed", span()[span("check_policy"), ...], applies_to=span("agent"))

    alone = judged(asserting(policed, contract))
    beside = judged(lambda: assert_trace([policed(), policed()], contract))

    assert ("renamed", 0, "") in alone.shapes[0].noticed
    assert ("renamed", 0, "") not in beside.shapes[0].noticed


def test_a_question_that_answers_otherwise_when_asked_again_is_left_out():
    class Moody:
        asked = 0

        def __eq__(self, other):
            Moody.asked += 1
            return Moody.asked == 1

        __hash__ = None

    def test():
        moody, trace = Moody(), policed()
        assert trace == moody
        return trace

    survivors = judged(test)

    assert survivors.aside("unstable") == (1, 1)
    assert survivors.noticed == 0


def test_a_question_that_fails_on_a_mutant_notices_it():
    class Reading:
        def check(self, trace):
            assert trace.spans[3].name == "answer"
            return []

    assert ("gone", 3, "") in judged(asserting(policed, Reading())).shapes[0].noticed


def test_a_trace_that_is_not_whole_has_no_mutants():
    survivors = judged(lambda: tree("agent", ["plan @1-"]))

    assert (survivors.percent, survivors.aside("unwhole")) == (None, (1, 1))


def test_a_trace_of_very_many_spans_has_no_mutants():
    survivors = judged(lambda: tree("agent", ["step"] * 1_000))

    assert (survivors.total, survivors.aside("large")) == (0, (1, 1))


def test_classes_beside_the_tree_have_their_survivors():
    def trace():
        return tree(node("agent", inputs={"a": 1, "b": 2}, attributes={"x": 1}), tags={"team": "a"})

    weak = span("agent", inputs={"a": 1, "b": 2})

    assert said(judged(asserting(trace, weak), classes=("values", "tags", "attributes", "time"))) == {
        "nothing notices what happens to the tag `team`",
        "nothing notices when `agent` has no attribute `x`, has another attribute `x` or takes ten times as long",
    }


def test_a_budget_notices_time():
    survivors = judged(asserting(policed, Budget(latency="8ms")), classes=("time",))

    assert survivors.percent == 100


def test_asked_again_is_what_a_check_would_say():
    """The quick answer is that of `assert_trace`, for whatever expectation, of one trace or several."""
    random = Random(5)
    expectations = [
        span(status="OK")[span("plan"), ...],
        Budget(calls={span(type="TOOL"): (0, 2)}, latency="12ms"),
        Budget(p95_of={span(type="UNKNOWN"): "3ms"}),
        if_present(each(span("search")).after(span("plan"))),
        each(span("search"), per="session").after(span("plan")),
        never(span(status="ERROR")).inside(span("plan")),
        Contract("inner", span(lacks=span("search")), never(span(status="ERROR")), applies_to=span("plan")),
        Contract("outer", Contract("inner", Budget(calls={"plan": 1}), applies_to=span("search")), only=span("plan")),
        Contract("together", each(span("search"), per="session").after(span("plan")), applies_to=span("answer")),
    ]

    def some():
        specs = [["plan"], ["search TOOL"], ["answer"], ["plan", ["search TOOL"]], ["search TOOL", ["answer ERROR"]]]
        return tree("agent AGENT", ["plan", *itertools.chain(*random.choices(specs, k=3))])

    asked = noticed = 0
    for _ in range(90):
        traces = [some() for _ in range(random.choice((1, 1, 2, 3)))]
        for expectation in expectations:
            questions = Questions()
            with questions.listening():
                holds = not check(traces, expectation)
            (question,) = questions.asked
            number = random.randrange(len(traces))
            for mutant in itertools.islice(mutants(traces[number]), random.randrange(7), None, 7):
                edited = mutant.make()
                expected = not check([*traces[:number], edited, *traces[number + 1 :]], expectation)

                assert answer(question, number, edited) == expected, (expectation, mutant.key)
                asked, noticed = asked + 1, noticed + (expected != holds)

    assert asked > 1_000
    assert noticed > 100


def test_nothing_but_the_whole_is_100_percent():
    assert [percent(each, 1_000) for each in (0, 999, 1_000)] == [0.0, 99.9, 100.0]
    assert percent(9_999, 10_000) == 99.9
    assert percent(0, 0) is None


def test_an_error_that_was_expected_is_one_still():
    def test():
        trace = policed()
        with pytest.raises(TraceAssertionError):
            assert_trace(trace, AGENT[()])
        return trace

    assert judged(test).noticed == 0
