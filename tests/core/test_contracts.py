"""Expectations put to the test: which are taken, which traces they are about, and what is said where they fail."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_mlflow_traces import (
    Budget,
    Contract,
    Finding,
    IntTag,
    TagSchema,
    TraceAssertionError,
    assert_trace,
    never,
    one_of,
    span,
)
from pytest_mlflow_traces.core.contracts import check, split_by_scope
from tests.support.building import records, tree
from tests.support.messages import exactly

if TYPE_CHECKING:
    from pytest_mlflow_traces import Trace


class Tags(TagSchema):
    team: str
    level: IntTag = 0


class Calm:
    """An expectation of somebody else's."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = list(findings)

    def check(self, trace: Trace) -> list[Finding]:
        return self.findings


AGENT = tree("agent AGENT", ["plan", "search TOOL"], tags={"team": "red"})
OTHER = tree("other", tags={"team": "red"})
WRONG = tree("agent AGENT", ["plan"], tags={"level": "1.0"})
SHAPE = span("agent")[span("plan"), span("search")]
WRONG_TAGS = (
    "  tags.value at tag 'level': expected a whole number, got '1.0' (write '1')\n"
    "  tags.missing at tag 'team': expected a string, got nothing"
)


def rules(traces: Any, *expectations: Any) -> list[str]:
    return [finding.rule for finding in check(traces, *expectations)]


class TestAssertTrace:
    def test_it_passes_where_all_holds(self):
        assert_trace(AGENT, SHAPE, Tags, Calm())

    def test_it_raises_one_error_with_every_finding_of_every_expectation(self):
        with pytest.raises(TraceAssertionError) as caught:
            assert_trace(WRONG, SHAPE, Tags, Calm(Finding("calm.not", "agent", actual="noise")))

        assert [finding.rule for finding in caught.value.findings] == [
            "shape.missing",
            "tags.value",
            "tags.missing",
            "calm.not",
        ]
        assert str(caught.value).startswith("trace 'agent' does not match: 1 missing\n")
        assert str(caught.value).endswith(
            f"\n\ntrace 'agent':\n{WRONG_TAGS}\n\ntrace 'agent':\n  calm.not at agent: got noise"
        )

    @pytest.mark.parametrize("traces", [[AGENT, WRONG], (AGENT, WRONG), iter([AGENT, WRONG])])
    def test_it_takes_several_traces(self, traces):
        with pytest.raises(TraceAssertionError, match=exactly(f"trace 'agent':\n{WRONG_TAGS}")):
            assert_trace(traces, Tags)

    @pytest.mark.parametrize("traces", [[], (), iter([])])
    def test_no_trace_is_a_failure(self, traces):
        text = "expected at least one trace, got none: nothing passes on absence"
        with pytest.raises(TraceAssertionError, match=exactly(text)) as caught:
            assert_trace(traces, SHAPE)

        assert [finding.rule for finding in caught.value.findings] == ["capture.empty"]

    def test_an_empty_capture_says_why_it_is_empty(self):
        class Capture(list[Any]):
            def fail_empty(self, what: str) -> None:
                raise TraceAssertionError(f"{what}, but tracing is off", [Finding("capture.bypassed", "here")])

        with pytest.raises(TraceAssertionError, match=exactly("expected at least one trace, but tracing is off")):
            assert_trace(Capture(), SHAPE)

    @pytest.mark.parametrize("given", [None, 5, "agent", b"agent", span("agent")])
    def test_what_is_no_trace_is_refused(self, given):
        with pytest.raises(TypeError):
            assert_trace(given, SHAPE)

    def test_columns_of_a_data_frame_are_no_traces(self):
        with pytest.raises(TypeError, match=r"expected a trace with \.info and \.data\.spans"):
            assert_trace(["trace_id", "spans"], SHAPE)

    def test_it_takes_mlflows_own_trace(self):
        raw = SimpleNamespace(info=SimpleNamespace(trace_id="tr-1"), data=SimpleNamespace(spans=records("agent")))

        assert_trace(raw, span("agent"))
        assert_trace([raw], span("agent"))

    def test_a_message_has_the_first_twenty_findings_and_the_error_has_all(self):
        many = [Finding("calm.not", f"span {number}") for number in range(23)]
        with pytest.raises(TraceAssertionError) as caught:
            assert_trace(AGENT, Calm(*many))

        assert str(caught.value).splitlines()[-2:] == ["  calm.not at span 19", "  ... 3 more findings"]
        assert list(caught.value.findings) == many

    def test_an_expectation_may_be_of_all_traces_together(self):
        class Together(Calm):
            def check_all(self, traces: list[Trace]) -> list[Finding]:
                return [Finding("calm.not", f"{len(traces)} traces")]

        for traces, subject in ((AGENT, "trace 'agent'"), ([AGENT, OTHER], "2 traces")):
            count = 1 if traces is AGENT else 2
            with pytest.raises(TraceAssertionError, match=exactly(f"{subject}:\n  calm.not at {count} traces")):
                assert_trace(traces, Together())


class Forgetful:
    def __init__(self, said: Any) -> None:
        self.said = said

    def check(self, trace: Trace) -> Any:
        return self.said

    def __repr__(self) -> str:
        return "Forgetful()"


class TestExpectations:
    @pytest.mark.parametrize("said", [None, True, False, "wrong", ["wrong"]])
    def test_one_that_returns_no_findings_does_not_pass(self, said):
        for expectation in (Forgetful(said), Contract("c", Forgetful(said))):
            with pytest.raises(
                TypeError,
                match=exactly(f"the check of Forgetful() returned {said!r}: return a list of findings, or []"),
            ):
                assert_trace(AGENT, expectation)

    def test_one_may_yield_its_findings(self):
        assert_trace(AGENT, Forgetful(iter(())))
        with pytest.raises(TraceAssertionError, match=exactly("trace 'agent':\n  calm.not at a")):
            assert_trace(AGENT, Forgetful(each for each in [Finding("calm.not", "a")]))

    def test_nothing_to_expect_is_refused(self):
        with pytest.raises(TypeError, match=r"no expectation: give a pattern, a Budget, a TagSchema or a Contract"):
            assert_trace(AGENT)

    @pytest.mark.parametrize(
        ("given", "text"),
        [
            ("agent", "expected a pattern, Budget, TagSchema or Contract, got 'agent': write span('agent')"),
            (5, "expected a pattern, Budget, TagSchema or Contract, got 5"),
            (None, "expected a pattern, Budget, TagSchema or Contract, got None"),
            ([SHAPE], f"expected a pattern, Budget, TagSchema or Contract, got [{SHAPE!r}]"),
            (..., "expected a pattern, Budget, TagSchema or Contract, got Ellipsis"),
            (Calm, "expected a Calm, got the class itself: call it"),
            (Contract, "expected a Contract, got the class itself: call it"),
            (
                Tags(team="red"),
                "expected the schema Tags itself, got an instance: tags are compared with a schema",
            ),
        ],
    )
    def test_what_is_no_expectation_is_refused(self, given, text):
        for attempt in (lambda: assert_trace(AGENT, given), lambda: Contract("c", given)):
            with pytest.raises(TypeError, match=exactly(text)):
                attempt()

    def test_traces_come_first(self):
        with pytest.raises(TypeError, match=r": the traces come first, then what is expected of them$"):
            assert_trace(SHAPE, AGENT)


class TestContract:
    ANSWERS = Contract("answers", SHAPE, Tags, applies_to=span("agent"))

    def test_it_holds_where_all_its_expectations_do(self):
        assert_trace(AGENT, self.ANSWERS)
        assert self.ANSWERS.check(AGENT) == []

    def test_each_failure_is_told_by_its_name(self):
        with pytest.raises(TraceAssertionError) as caught:
            assert_trace(WRONG, self.ANSWERS)

        assert str(caught.value).startswith("contract 'answers': trace 'agent' does not match: 1 missing\n")
        assert str(caught.value).endswith(f"\n\ncontract 'answers': trace 'agent':\n{WRONG_TAGS}")
        assert rules(WRONG, self.ANSWERS) == [finding.rule for finding in self.ANSWERS.check(WRONG)]

    def test_it_has_no_say_about_other_traces(self):
        assert self.ANSWERS.applies(AGENT)
        assert not self.ANSWERS.applies(OTHER)
        assert self.ANSWERS.check(OTHER) == []
        assert_trace([OTHER, AGENT], self.ANSWERS)

    def test_one_that_applies_to_no_trace_is_a_failure(self):
        text = "contract 'answers' applies to none of 2 trace(s) (other): no span matches span('agent')"
        with pytest.raises(TraceAssertionError, match=exactly(text)) as caught:
            assert_trace([OTHER, OTHER], self.ANSWERS)

        assert list(caught.value.findings) == [Finding("contract.unused", "answers", "span('agent')", "no such span")]

    def test_what_it_applies_to_may_be_anywhere_in_the_tree(self):
        searches = Contract("searches", span(has=span("plan")), applies_to=one_of(span("search"), span("web")))

        assert searches.applies(AGENT)
        assert searches.applies(tree("root", ["web"]))
        assert not searches.applies(OTHER)

    def test_contracts_nest(self):
        outer = Contract("suite", span("agent"), self.ANSWERS, Contract("never", Tags, applies_to=span("nowhere")))

        assert_trace(AGENT, outer)
        with pytest.raises(TraceAssertionError, match=r"^contract 'suite': contract 'answers': trace 'agent' does not"):
            assert_trace(WRONG, outer)

    def test_one_in_which_none_applies_has_no_say_either(self):
        inner = Contract("inner", SHAPE, applies_to=span("nowhere"))
        outer = Contract("outer", inner, Contract("other", SHAPE, applies_to=span("nobody")), applies_to=span("agent"))

        assert not outer.applies(AGENT)
        text = (
            "contract 'outer' applies to none of 2 trace(s) (agent, other): no span matches span('nowhere') or"
            " span('nobody')"
        )
        with pytest.raises(TraceAssertionError, match=exactly(text)):
            assert_trace([AGENT, OTHER], outer)

    def test_no_trace_at_all_is_a_finding_for_whoever_asks_it_directly(self):
        none = [Finding("capture.empty", "no trace", "at least one trace", "none")]

        assert self.ANSWERS.check_all([]) == none
        assert Budget(latency="1s").check_all([]) == none

    @pytest.mark.parametrize(
        ("arguments", "keywords", "error", "text"),
        [
            (("",  SHAPE), {}, ValueError, "Contract(): the name is empty; reports call the contract by it"),
            ((" ", SHAPE), {}, ValueError, "Contract(): the name is empty; reports call the contract by it"),
            ((SHAPE,), {}, TypeError, f"Contract(): the first argument is its name, got {SHAPE!r:.80}"),
            (("c",), {}, ValueError, "Contract('c') expects nothing: give it a pattern, a Budget or a TagSchema"),
            (("c", SHAPE), {"aplies_to": 1}, TypeError,
             ("Contract(): unknown keyword 'aplies_to' (legal: 'applies_to', 'only', 'about'); did you mean"
              " 'applies_to'?")),
            (("c", SHAPE), {"only": "agent"}, TypeError, "only takes a pattern, not a string: write span('agent')"),
            (("c", SHAPE), {"only": [span("agent"), 5]}, TypeError,
             "only takes a pattern such as span('name'), got 5"),
            (("c", SHAPE), {"only": []}, ValueError,
             "Contract(): only=[] checks nothing; name a span, or leave it out"),
            (("c", SHAPE), {"about": 5}, TypeError, "Contract(): about is what the contract is for, a text, got 5"),
            (("c", "refunds.toml"), {}, TypeError,
             ("expected a pattern, Budget, TagSchema or Contract, got 'refunds.toml': write"
              " Contract.read('refunds.toml')")),
            (("c", SHAPE), {"applies_to": "agent"}, TypeError,
             "applies_to takes a pattern, not a string: write span('agent')"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused_at_construction(self, arguments, keywords, error, text):
        with pytest.raises(error, match=exactly(text)):
            Contract(*arguments, **keywords)

    def test_only_some_spans_are_looked_at(self):
        trace = tree("agent AGENT", ["step", ["book TOOL", ["http"]], "search TOOL", "book TOOL"])
        book = span("book", type="TOOL")[()]
        contract = Contract("effects", span("agent")[book, book], never(span("http")), only=[span("book"), span("pay")])

        assert_trace(trace, contract)
        with pytest.raises(
            TraceAssertionError, match=r"\Acontract 'effects': trace 'agent' does not match: 1 missing\n"
        ):
            assert_trace(tree("agent AGENT", ["step", "book TOOL"]), contract)
        with pytest.raises(TraceAssertionError, match=r"does not match: 2 missing"):
            assert_trace(tree("agent AGENT", ["step"]), contract)

    def test_the_whole_trace_is_asked_whether_it_applies_and_the_rest_of_it_what_is_inside(self):
        inner = Contract("inner", span("agent")[span("b")], applies_to=span("b"))
        hidden = Contract("hidden", span("nobody"), applies_to=span("a"))
        outer = Contract("outer", inner, hidden, applies_to=span("a"), only=span("b"))

        assert outer.applies(tree("agent", ["a", "b"]))
        assert_trace(tree("agent", ["a", "b"]), outer)
        assert not outer.applies(tree("agent", ["b"]))
        assert not outer.applies(tree("agent", ["a"]))
        with pytest.raises(
            TraceAssertionError, match=r"'outer' applies to none of .*: no span matches span\('b'\) or span\('a'\)"
        ):
            assert_trace(tree("agent", ["a"]), outer)

    def test_the_half_of_it_that_looks_at_sessions_looks_at_the_same_spans(self):
        order = never(span("b"), per="session").after(span("a"))
        contract = Contract("c", span("agent"), order, only=[span("a")], about="Calm.", applies_to=span("agent"))

        assert split_by_scope(contract) == (
            Contract("c", span("agent"), only=[span("a")], about="Calm.", applies_to=span("agent")),
            Contract("c", order, only=[span("a")], about="Calm.", applies_to=span("agent")),
        )

    @pytest.mark.parametrize("given", ["refunds.toml", b"format = 1", None])
    def test_its_text_is_not_its_path(self, given):
        text = f"from_toml() takes the text of a contract file, not {given!r}: write Contract.read(path)"
        with pytest.raises(TypeError, match=exactly(text)):
            Contract.from_toml(given)

    def test_it_prints_as_the_code_that_makes_it(self):
        contract = Contract("c", SHAPE, applies_to=span("a"), only=[span("b"), span("c")], about="Calm.")

        assert repr(contract) == (
            f"Contract('c', {SHAPE!r}, applies_to=span('a'), only=[span('b'), span('c')], about='Calm.')"
        )
        assert eval(repr(contract), {"Contract": Contract, "span": span}) == contract

    def test_it_is_a_value(self):
        same = Contract("answers", SHAPE, Tags, applies_to=span("agent"))

        assert same == self.ANSWERS
        assert hash(same) == hash(self.ANSWERS)
        assert same != Contract("answers", SHAPE, applies_to=span("agent"))
        assert pickle.loads(pickle.dumps(Contract("c", SHAPE))) == Contract("c", SHAPE)
        with pytest.raises(AttributeError):
            same.name = "other"  # type: ignore[misc]
