"""Captures nest, overlap and end in any order, in threads and tasks; each has its own traces."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import mlflow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_mlflow_traces import capture_traces
from tests.capture.programs import names, traced


def test_an_inner_capture_takes_the_traces_made_inside_it():
    with capture_traces() as outer:
        traced("before")
        with capture_traces() as inner:
            traced("inside")
        traced("after")

    assert names(outer) == ["before", "after"]
    assert names(inner) == ["inside"]


def test_captures_nest_deeply():
    captures = []

    def program(depth):
        with capture_traces() as captured:
            captures.append(captured)
            traced(f"down {depth}")
            if depth < 10:
                program(depth + 1)
            traced(f"up {depth}")

    program(0)

    assert [names(each) for each in captures] == [[f"down {depth}", f"up {depth}"] for depth in range(11)]


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)])
def test_captures_may_end_in_any_order(order):
    """Each trace goes to the innermost capture that is still open."""
    managers = [capture_traces() for _ in range(3)]
    captures = [manager.__enter__() for manager in managers]
    still_open = [0, 1, 2]
    expected = {0: [], 1: [], 2: []}
    for number in order:
        name = f"before {number}"
        traced(name)
        expected[max(still_open)].append(name)
        managers[number].__exit__(None, None, None)
        still_open.remove(number)

    assert {number: names(capture) for number, capture in enumerate(captures)} == expected


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_captures_that_overlap_leave_no_state_behind(order):
    """The fixture that surrounds each test compares it."""
    managers = [capture_traces() for _ in range(2)]
    for number, manager in enumerate(managers):
        manager.__enter__()
        mlflow.set_tracking_uri(f"http://tracking-{number}.invalid")
        mlflow.set_experiment(f"/Shared/{number}")
    for number in order:
        managers[number].__exit__(None, None, None)


def test_a_span_open_across_an_inner_capture_stays_with_its_own():
    with capture_traces() as outer:
        with mlflow.start_span("outer span"):
            with capture_traces() as inner:
                with mlflow.start_span("inner span"):
                    pass
            with mlflow.start_span("child"):
                pass

    assert [span.path for span in outer.one().spans] == ["outer span", "outer span > child"]
    assert names(inner) == ["inner span"]


def test_a_span_that_ends_inside_an_inner_capture_stays_with_its_own():
    with capture_traces() as outer:
        span = mlflow.start_span_no_context("outer span")
        with capture_traces() as inner:
            span.end()

    assert (names(outer), names(inner)) == (["outer span"], [])


def test_a_child_given_its_parent_stays_with_it():
    with capture_traces() as outer:
        parent = mlflow.start_span_no_context("parent")
        with capture_traces() as inner:
            mlflow.start_span_no_context("child", parent_span=parent).end()
        parent.end()

    assert [span.name for span in outer.one().spans] == ["parent", "child"]
    assert len(inner) == 0


def test_tasks_each_with_a_capture_of_their_own_do_not_mix():
    async def program(name):
        with capture_traces() as captured:
            for number in range(3):
                with mlflow.start_span(f"{name}{number}"):
                    await asyncio.sleep(0)
                    with mlflow.start_span("child"):
                        await asyncio.sleep(0)
            await asyncio.to_thread(traced, f"{name} in a thread")
        return captured

    async def together():
        return await asyncio.gather(*(program(name) for name in "abcdefgh"))

    for name, captured in zip("abcdefgh", asyncio.run(together()), strict=True):
        assert names(captured) == [f"{name}0", f"{name}1", f"{name}2", f"{name} in a thread"]
        assert all(len(trace.spans) == 2 for trace in captured[:3])


def test_threads_each_with_a_capture_of_their_own_do_not_mix():
    opened = threading.Barrier(6)
    captures = {}

    def program(name):
        with capture_traces() as captures[name]:
            opened.wait(timeout=30)
            for number in range(5):
                traced(f"{name}{number}")

    threads = [threading.Thread(target=program, args=[name]) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {name: names(captured) for name, captured in captures.items()} == {
        name: [f"{name}{number}" for number in range(5)] for name in "abcdef"
    }


def test_a_capture_opened_in_one_context_and_closed_in_another_ends():
    """As fixtures of asynchronous plugins do."""
    manager = capture_traces()
    first = contextvars.copy_context().run(manager.__enter__)
    traced("inside")
    manager.__exit__(None, None, None)
    with capture_traces() as second:
        traced("next")

    assert (names(first), names(second)) == (["inside"], ["next"])


def test_a_capture_closed_in_another_context_does_not_hold_back_what_comes_later():
    """Where it was opened its name is left behind; a later capture of another context still gets the traces."""

    def program():
        stale = capture_traces()
        stale.__enter__()
        contextvars.copy_context().run(stale.__exit__, None, None, None)
        later = capture_traces()
        captured = contextvars.Context().run(later.__enter__)
        traced("here")
        later.__exit__(None, None, None)
        return names(captured)

    # in a context of its own, which has no last trace: what is put back there is that of the other context
    assert contextvars.Context().run(program) == ["here"]


def test_the_inner_of_two_captures_that_end_out_of_turn_leaves_no_closed_one_current():
    done = threading.Event()
    seen = []

    def program():
        first, second = capture_traces(), capture_traces()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        done.set()
        opened.wait(timeout=30)
        traced("in the thread")

    opened = threading.Event()
    thread = threading.Thread(target=program)
    thread.start()
    done.wait(timeout=30)
    with capture_traces() as captured:
        opened.set()
        thread.join()
        seen += names(captured)

    assert seen == ["in the thread"]


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=5))
def test_examples_of_hypothesis_do_not_mix(made):
    with capture_traces() as traces:
        for name in made:
            traced(name)

    assert names(traces) == made


def test_examples_of_hypothesis_within_a_capture_do_not_mix(traces):
    traced("before")

    @settings(deadline=None, max_examples=10, database=None)
    @given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5))
    def example(made):
        with capture_traces() as inner:
            for name in made:
                traced(name)
        assert names(inner) == made

    example()

    assert names(traces) == ["before"]


def test_examples_of_hypothesis_that_share_a_capture_are_all_there(traces):
    """Hypothesis seeds Python's random for each example, and OpenTelemetry makes its ids with it."""
    made = []

    @settings(deadline=None, max_examples=10, database=None)
    @given(st.integers())
    def example(number):
        made.append(traced(f"example {number}"))

    example()

    assert [trace.id for trace in traces] == made
    assert len(set(made)) == len(made)


def test_tasks_each_with_a_capture_of_their_own_read_their_own():
    """MLflow reads spans in threads of a pool, on older releases without the context."""

    async def program(name):
        with capture_traces():
            trace_id = traced(name)
            await asyncio.sleep(0)
            (found,) = mlflow.search_traces(return_type="list", locations=["0"])
            return trace_id == found.info.trace_id, len(found.data.spans)

    async def together():
        return await asyncio.gather(*(program(name) for name in "abcd"))

    assert asyncio.run(together()) == [(True, 1)] * 4


def test_a_thread_without_a_context_changes_the_trace_whose_id_it_is_given():
    with capture_traces() as outer:
        trace_id = traced("answer")
        with capture_traces():
            thread = threading.Thread(target=mlflow.set_trace_tag, args=[trace_id, "team", "a"])
            thread.start()
            thread.join()

        assert outer.one().tags == {"team": "a"}
