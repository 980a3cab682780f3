"""The four verdicts: what an expectation comes to on a trace, and on all traces of a session."""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import Budget, Contract, each, if_present, never, span
from pytest_mlflow_traces.core.judgements import Judge, Judgement
from pytest_mlflow_traces.core.spans.convert import SESSION
from tests.support.building import node, records, trace_of, tree

CAREFUL = Contract("careful", never(span("delete_table")), applies_to=span("agent"))
PAID = each(span("pay")).after(span("auth"))
ONCE = each(span("pay"), per="session").after(span("auth"))
LOOKS_LIKE = """\
contract 'careful': trace 'agent':
  order.never at agent > delete_table: expected no span('delete_table'), got one
        agent  UNKNOWN            0 ms to 5 ms
      > └─ delete_table  UNKNOWN  1 ms to 2 ms"""
FIRST = {SESSION: "s-1"}


def orphan():
    spans = records("agent", ["plan"])
    spans[1].parent_id = "elsewhere"
    return trace_of(spans)


def test_a_contract_holds_of_a_trace():
    judgement = Judge(CAREFUL).judge(tree("agent", ["plan"]))

    assert judgement == Judgement("holds", "contract 'careful' holds")
    assert judgement.rules == ()


def test_a_contract_that_fails_says_why_as_in_a_test():
    judgement = Judge(CAREFUL).judge(tree("agent", ["delete_table", "plan"]))

    assert (judgement.verdict, judgement.rules) == ("fails", ("order.never",))
    assert judgement.text == LOOKS_LIKE


def test_the_texts_of_all_expectations_that_fail_are_told():
    judgement = Judge(Contract("both", span("plan"), Budget(calls={span("search"): 1}))).judge(tree("agent"))

    assert judgement.rules == ("shape.different", "budget.absent")
    assert judgement.text.count("contract 'both': ") == 2


def test_a_contract_does_not_apply_to_a_trace_of_something_else():
    judgement = Judge(CAREFUL).judge(tree("other", ["delete_table"]))

    assert judgement == Judgement("not applicable", "contract 'careful' does not apply: no span matches span('agent')")


def test_a_contract_does_not_apply_where_none_inside_it_does():
    judgement = Judge(Contract("all", CAREFUL)).judge(tree("other"))

    assert judgement == Judgement(
        "not applicable", "contract 'all' does not apply: no span matches what the contracts in it are about"
    )


@pytest.mark.parametrize(
    ("trace", "reason"),
    [
        (tree("agent", ["plan"], status="IN_PROGRESS"), "it is in progress"),
        (trace_of([]), "it has no spans"),
        (tree("agent", ["plan @1-"]), "unfinished: span agent > plan has no end time"),
        (orphan(), "orphan: span plan names the parent 'elsewhere', which is not in the trace"),
    ],
)
def test_a_trace_that_is_not_whole_is_not_judged_whatever_else(trace, reason):
    for contract in (CAREFUL, Contract("other", span("other"), applies_to=span("other"))):
        judgement = Judge(contract).judge(trace)

        assert (judgement.verdict, judgement.text) == ("not judged", f"not judged: {reason}")
        assert judgement.rules == ("trace.not_judged",)
        assert [each.actual for each in judgement.findings] == [reason]


def test_any_expectation_has_a_judge():
    assert Judge(span("agent")).judge(tree("agent")) == Judgement("holds", "span('agent') holds")
    assert Judge(span("agent")).judge(tree("other")).verdict == "fails"


def test_rules_over_sessions_are_asked_of_a_trace_without_one():
    assert Judge(Contract("paid", ONCE)).judge(tree("pay")).verdict == "fails"
    assert Judge(Contract("paid", ONCE)).judge(tree("auth", "pay")).verdict == "holds"


def test_rules_over_sessions_alone_do_not_judge_one_trace_of_a_session():
    judgement = Judge(Contract("paid", ONCE)).judge(tree("pay", metadata=FIRST))

    assert judgement.verdict == "not judged"
    assert judgement.text == "not judged: it is one trace of a session, of which the contract wants all"


def test_where_one_trace_of_a_session_holds_it_is_said_what_was_not_asked():
    judge = Judge(Contract("paid", ONCE, never(span("delete_table"))))

    holds = judge.judge(tree("pay", metadata=FIRST))

    assert holds == Judgement("holds", "contract 'paid' holds, but for its rules over the whole session")
    assert judge.judge(tree("delete_table", metadata=FIRST)).verdict == "fails"


def test_a_session_is_judged_by_all_its_traces():
    judge = Judge(Contract("paid", ONCE))
    pays, asks = tree("pay @20-30", metadata=FIRST), tree("auth @0-10", metadata=FIRST)

    assert judge.judge_session([pays, asks]) == Judgement("holds", "contract 'paid' holds")
    assert judge.judge_session([pays]).rules == ("order.after",)


def test_a_session_is_judged_by_the_rules_for_each_of_its_traces_too():
    judge = Judge(Contract("paid", if_present(PAID), ONCE))
    pays, asks = tree("pay @20-30", metadata=FIRST), tree("auth @0-10", metadata=FIRST)

    assert [each.where for each in judge.judge_session([pays, asks]).findings] == ["pay"]


def test_a_session_of_which_one_trace_is_not_whole_is_not_judged():
    lost, asks = tree(node("agent @0-"), metadata=FIRST), tree("auth", metadata=FIRST)

    judgement = Judge(Contract("paid", ONCE)).judge_session([asks, lost])

    assert judgement.verdict == "not judged"
    assert judgement.text == "not judged: trace 'agent': unfinished: span agent has no end time"


def test_a_contract_does_not_apply_to_a_session_of_something_else():
    assert Judge(CAREFUL).judge_session([tree("other")]).verdict == "not applicable"


def test_no_traces_are_not_judged():
    assert Judge(span("agent")).judge_session([]).text == "not judged: the session has no traces"


def test_code_that_a_contract_names_is_imported_by_its_judge():
    contract = Contract.from_toml('format = 1\nname = "x"\nexpect = ["nowhere.at_all:NAME"]')

    with pytest.raises(ValueError, match="No module named 'nowhere'"):
        Judge(contract)


# -- all traces of a session, with a judgement for each


def of_session(*specs, session="s-1"):
    return tree(*specs, metadata={SESSION: session})


BOTH = Contract("both", ONCE, never(span("delete_table")))


def test_what_fails_of_a_session_is_said_of_its_first_trace():
    traces = [of_session("pay"), of_session("delete_table"), of_session("look")]

    said = Judge(BOTH).judge_each(traces)

    assert [judgement.verdict for judgement in said] == ["fails", "fails", "holds"]
    assert [judgement.rules for judgement in said] == [("order.after",), ("order.never",), ()]


def test_a_first_trace_that_fails_by_itself_says_both():
    (said,) = Judge(BOTH).judge_each([of_session("pay", "delete_table")])

    assert (said.verdict, said.rules) == ("fails", ("order.never", "order.after"))
    assert said.text.count("contract 'both': ") == 2


def test_what_a_session_fulfils_together_holds_of_each():
    said = Judge(BOTH).judge_each([of_session("auth @1-2"), of_session("pay @5-6")])

    assert [judgement.verdict for judgement in said] == ["holds", "holds"]


def test_of_a_session_that_is_not_whole_the_first_is_not_judged_though_it_is():
    said = Judge(BOTH).judge_each([of_session("pay"), orphan()])

    assert [judgement.verdict for judgement in said] == ["not judged", "not judged"]
    assert said[0].text.startswith("not judged: trace 'agent': orphan: ")


def test_what_fails_by_itself_fails_in_a_session_that_is_not_whole_too():
    said = Judge(BOTH).judge_each([of_session("delete_table"), orphan()])

    assert [judgement.rules for judgement in said] == [("order.never",), ("trace.not_judged",)]


def test_the_first_that_the_contract_applies_to_says_what_the_session_fails():
    contract = Contract("paying", ONCE, applies_to=span("pay"))

    said = Judge(contract).judge_each([of_session("look"), of_session("pay")])

    assert [judgement.verdict for judgement in said] == ["not applicable", "fails"]


def test_a_trace_younger_than_the_watermark_is_not_judged_and_nor_is_its_session():
    old, young = of_session("auth @1-2"), of_session("pay @5-6")

    said = Judge(BOTH, watermark_ns=5_000_000).judge_each([old, young])

    assert [judgement.verdict for judgement in said] == ["not judged", "not judged"]
    assert said[1].text == "not judged: it is younger than the watermark"
    assert Judge(BOTH, watermark_ns=5_000_001).judge_each([old, young])[1].verdict == "holds"


def test_of_what_says_nothing_of_a_trace_there_is_no_verdict():
    said = Judge(None).judge(tree("agent"))

    assert said == Judgement("not applicable", "it says nothing of a trace by itself")
    assert Judge(None).judge(orphan()).verdict == "not judged"
