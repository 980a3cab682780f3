"""`CapturedTraces.where` and what `one` takes: criteria, and what is refused."""

from __future__ import annotations

import re

import mlflow
import pytest

from tests.capture.programs import names, traced


def said(call, error):
    with pytest.raises(error) as raised:
        call()
    return str(raised.value)


@pytest.fixture
def three(traces):
    traced("answer", tags={"team": "a", "flag": True}, metadata={"mlflow.trace.session": "s1"})
    traced("answer", tags={"team": "b"}, metadata={"mlflow.trace.session": "s2", "mlflow.trace.user": "u"})
    mlflow.start_span_no_context("failing").end(status="ERROR")
    return traces


def test_where_finds_by_each_criterion(three):
    assert [trace.tags["team"] for trace in three.where(name="answer")] == ["a", "b"]
    assert names(three.where(name=re.compile("fail.*"))) == ["failing"]
    assert three.where(name=re.compile("fail")) == ()
    assert three.where(session_id="s2") == (three[1],)
    assert three.where(session_id=None) == (three[2],)
    assert three.where(session_id=re.compile(".*")) == (three[0], three[1])
    assert three.where(user_id="u") == (three[1],)
    assert three.where(status="ERROR") == (three[2],)
    assert three.where(tags={"team": "a"}) == (three[0],)
    assert three.where(tags={"flag": True}) == (three[0],)
    assert three.where(tags={"flag": "True"}) == ()
    assert three.where(tags={"missing": None}) == ()
    assert three.where(name="answer", session_id="s1", tags={"team": "a"}) == (three[0],)


def test_where_compares_with_equality_so_that_matchers_work(three):
    dirty_equals = pytest.importorskip("dirty_equals")

    assert three.where(name=dirty_equals.IsStr(regex="ans.*")) == (three[0], three[1])
    assert three.where(tags={"team": dirty_equals.IsOneOf("b", "c")}) == (three[1],)


def test_where_refuses_what_it_does_not_know(traces):
    assert said(lambda: traces.where(nmae="x"), TypeError) == (
        "where(): unknown keyword 'nmae' (legal: 'name', 'session_id', 'user_id', 'status', 'tags');"
        " did you mean 'name'?"
    )
    assert said(lambda: traces.one(sesion_id="x"), TypeError).endswith("; did you mean 'session_id'?")


def test_where_refuses_a_status_that_does_not_exist(traces):
    assert said(lambda: traces.where(status="EROR"), ValueError) == (
        "where(): unknown status 'EROR' (legal: 'OK', 'ERROR', 'IN_PROGRESS'); did you mean 'ERROR'?"
    )


def test_where_refuses_to_ask_nothing(traces):
    assert said(traces.where, TypeError) == (
        "where() takes at least one of 'name', 'session_id', 'user_id', 'status', 'tags'; for all traces, iterate"
    )
    assert said(lambda: traces.where(tags={}), ValueError) == "where(): tags maps names to values, got {}"
    assert said(lambda: traces.one(tags="team"), ValueError) == "where(): tags maps names to values, got 'team'"
