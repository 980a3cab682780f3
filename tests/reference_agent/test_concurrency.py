"""Workers side by side, in threads and as tasks, and what becomes of them when the request ends early."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine

from reference_agent import stub_orchestrator
from reference_agent.clocks import SystemClock, VirtualClock
from reference_agent.concurrency import AbandonedError, run_blocking
from reference_agent.stubs import Fault, StubChat, StubGenie
from tests.reference_agent.reading import children, duration_ms, events, overlap, span, spans, status, tags

THREE_DOMAINS = "Are costs, access and slow queries under control?"
ALL_DOMAINS = "Give me a health overview"


def invoke(orchestrator, query):
    return orchestrator.invoke(query, user_id="ada", session_id="s1")


def ainvoke(orchestrator, query):
    return asyncio.run(orchestrator.ainvoke(query, user_id="ada", session_id="s1"))


both_ways = pytest.mark.parametrize("ask", [invoke, ainvoke])


@both_ways
def test_workers_stay_in_the_trace_of_their_request(captured, ask):
    ask(stub_orchestrator(), ALL_DOMAINS)

    trace = captured.one()
    assert len([each for each in trace.data.spans if each.parent_id is None]) == 1
    assert len(children(trace, span(trace, "query_agents"))) == 5


@both_ways
def test_workers_really_overlap(captured, ask):
    ask(stub_orchestrator(), ALL_DOMAINS)

    trace = captured.one()
    workers = [each for each in trace.data.spans if each.parent_id == span(trace, "query_agents").span_id]
    assert all(overlap(one, other) for one in workers for other in workers)


@both_ways
def test_workers_start_in_the_order_of_the_domains(captured, ask):
    ask(stub_orchestrator(), ALL_DOMAINS)

    trace = captured.one()
    names = children(trace, span(trace, "query_agents"))
    assert names == ["cost_agent", "security_agent", "performance_agent", "reliability_agent", "quality_agent"]


@both_ways
def test_answers_are_the_same_either_way(captured, ask):
    answer = ask(stub_orchestrator(), THREE_DOMAINS)

    assert answer == stub_orchestrator().invoke(THREE_DOMAINS, user_id="ada", session_id="s1")
    first, second = captured
    assert sorted(each.name for each in first.data.spans) == sorted(each.name for each in second.data.spans)
    assert tags(first) == tags(second)


@both_ways
def test_chains_nest_under_their_phase(captured, ask):
    ask(stub_orchestrator(), THREE_DOMAINS)

    trace = captured.one()
    for phase in ("classify_intent", "synthesize"):
        chain = next(each for each in spans(trace, "RunnableSequence") if each.parent_id == span(trace, phase).span_id)
        assert children(trace, chain) == ["ChatPromptTemplate", "StubChat", "StrOutputParser"]


def test_workers_wait_at_the_same_time_on_a_real_clock(captured):
    both_wait = threading.Barrier(2, timeout=20)

    class MeetingClock(SystemClock):
        def sleep(self, seconds):
            both_wait.wait()

    genie = StubGenie(latencies={"cost": 0, "security": 0})
    invoke(stub_orchestrator(clock=MeetingClock(), genie=genie), "cost and access")

    trace = captured.one()
    assert overlap(span(trace, "cost_agent"), span(trace, "security_agent"))


@both_ways
def test_latencies_overlap_exactly_under_time_machine(captured, ask):
    genie = StubGenie(latencies={"cost": 1.0, "security": 2.5, "performance": 0.2})
    with time_machine.travel(1_700_000_000, tick=False) as traveller:
        ask(stub_orchestrator(genie=genie, clock=VirtualClock(on_advance=traveller.shift)), THREE_DOMAINS)

    trace = captured.one()
    # The answers are there at 1 s, 2.5 s and 0.2 s; they are looked for every half second.
    assert duration_ms(span(trace, "cost_agent")) == 1000
    assert duration_ms(span(trace, "security_agent")) == 2500
    assert duration_ms(span(trace, "performance_agent")) == 500
    assert duration_ms(span(trace, "query_agents")) == 2500
    assert trace.info.execution_duration == 2500


@both_ways
def test_retries_take_as_long_as_genie_asks_for(captured, ask):
    genie = StubGenie(faults={"cost": [Fault("429", retry_after=3), Fault("429", retry_after=10), None]})
    with time_machine.travel(1_700_000_000, tick=False) as traveller:
        ask(stub_orchestrator(genie=genie, clock=VirtualClock(on_advance=traveller.shift)), "Why did costs spike?")

    trace = captured.one()
    attempts = spans(trace, "genie_attempt")
    assert [status(attempt) for attempt in attempts] == ["ERROR", "ERROR", "OK"]
    assert status(span(trace, "genie_query")) == "OK"
    assert duration_ms(span(trace, "genie_query")) == 3000 + 10_000 + 500


@both_ways
def test_worker_that_hangs_times_out_and_the_rest_answers(captured, ask):
    started = time.perf_counter()
    with time_machine.travel(1_700_000_000, tick=False) as traveller:
        clock = VirtualClock(on_advance=traveller.shift)
        answer = ask(stub_orchestrator(genie=StubGenie(faults={"performance": "hang"}), clock=clock), THREE_DOMAINS)

    trace = captured.one()
    assert answer["failed_domains"] == ["performance"]
    hung = span(trace, "performance_agent")
    assert hung.attributes["error_type"] == "AgentTimeoutError"
    assert duration_ms(hung) == 30_000
    assert status(hung) == "ERROR"
    inner = [each for each in trace.data.spans if each.parent_id == hung.span_id]
    assert [status(each) for each in inner] == ["ERROR"]
    assert trace.info.state == "OK"
    assert trace.info.execution_duration == 30_000
    assert time.perf_counter() - started < 5


@both_ways
def test_plain_clock_of_a_test_is_enough(captured, ask):
    class HandMovedClock:
        now = 1000.0

        def time(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    clock = HandMovedClock()
    ask(stub_orchestrator(clock=clock, genie=StubGenie(latencies={"cost": 4})), "Why did costs spike?")

    assert clock.now == 1004
    assert status(span(captured.one(), "cost_agent")) == "OK"


def test_no_latency_costs_real_time(captured):
    genie = StubGenie(latencies={"cost": 25, "security": 20}, faults={"performance": "hang"})
    started = time.perf_counter()
    invoke(stub_orchestrator(genie=genie), THREE_DOMAINS)

    assert time.perf_counter() - started < 5
    assert tags(captured.one())["failed_domains"] == "performance"


class AsleepForEver:
    """A clock on which nobody wakes up; `asleep` is over when both workers sleep."""

    def __init__(self, workers):
        self.left = workers
        self.all_asleep = asyncio.Event()

    def time(self):
        return 0.0

    async def sleep(self, seconds):
        raise AssertionError("the agent must not block the loop")

    async def asleep(self, seconds):
        self.left -= 1
        if self.left == 0:
            self.all_asleep.set()
        await asyncio.Event().wait()


def test_cancelled_request_ends_every_span_as_an_error(captured):
    async def cancel_midway():
        clock = AsleepForEver(workers=2)
        orchestrator = stub_orchestrator(clock=clock)
        request = asyncio.create_task(orchestrator.ainvoke("cost and access", user_id="ada", session_id="s1"))
        await clock.all_asleep.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(cancel_midway())

    trace = captured.one()
    interrupted = [each for each in trace.data.spans if status(each) == "ERROR"]
    assert sorted(each.name for each in interrupted) == [
        "cost_agent",
        "genie_attempt",
        "genie_attempt",
        "genie_query",
        "genie_query",
        "orchestrator_invoke",
        "query_agents",
        "security_agent",
    ]
    for each in interrupted:
        assert each.attributes["error_type"] == "CancelledError"
        assert events(each) == ["exception"]
    assert trace.info.state == "ERROR"
    assert tags(trace)["has_error"] == "true"
    assert tags(trace)["error_type"] == "CancelledError"


def test_time_limit_of_the_caller_ends_the_trace(captured):
    async def give_up():
        orchestrator = stub_orchestrator(clock=AsleepForEver(workers=1))
        await asyncio.wait_for(orchestrator.ainvoke("cost", user_id="ada"), timeout=0.2)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(give_up())

    trace = captured.one()
    assert status(span(trace, "orchestrator_invoke")) == "ERROR"
    assert tags(trace)["error_type"] == "CancelledError"


def test_interrupted_program_ends_its_workers_and_their_spans_first(captured, monkeypatch):
    both_work = threading.Barrier(3, timeout=20)

    class SlowClock:
        """The workers get nowhere until they are stopped, or give up."""

        slept = 0.0

        def sleep(self, seconds):
            if threading.current_thread().name not in met:
                met.add(threading.current_thread().name)
                both_work.wait()
            threading.Event().wait(0.001)
            self.slept += 0.01

        def time(self):
            return self.slept

    def interrupted_wait(futures):
        both_work.wait()
        raise KeyboardInterrupt

    met = set()
    monkeypatch.setattr("reference_agent.concurrency.wait", interrupted_wait)
    orchestrator = stub_orchestrator(clock=SlowClock(), genie=StubGenie(faults={"cost": "hang"}))
    with pytest.raises(KeyboardInterrupt):
        invoke(orchestrator, "cost and access")

    trace = captured.one()
    assert status(span(trace, "cost_agent")) == "ERROR"
    assert span(trace, "cost_agent").attributes["error_type"] == "AbandonedError"
    assert span(trace, "orchestrator_invoke").attributes["error_type"] == "KeyboardInterrupt"
    assert status(span(trace, "orchestrator_invoke")) == "ERROR"
    assert tags(trace)["error_type"] == "KeyboardInterrupt"
    ends = [each.end_time_ns for each in trace.data.spans]
    assert max(ends) == span(trace, "orchestrator_invoke").end_time_ns


def test_interrupt_inside_a_phase_ends_its_span_as_an_error(captured):
    class InterruptedChat(StubChat):
        def _reply(self, messages):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        invoke(stub_orchestrator(chat=InterruptedChat()), "cost")

    trace = captured.one()
    assert status(span(trace, "classify_intent")) == "ERROR"
    assert span(trace, "classify_intent").attributes["error_type"] == "KeyboardInterrupt"


def test_interrupt_in_a_worker_is_not_one_domains_failure(captured):
    class InterruptedClock(VirtualClock):
        def sleep(self, seconds):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        invoke(stub_orchestrator(clock=InterruptedClock()), "cost")

    assert span(captured.one(), "cost_agent").attributes["error_type"] == "KeyboardInterrupt"


def test_worker_that_is_cancelled_alone_is_one_domains_failure(captured):
    class Cancelling(VirtualClock):
        async def asleep(self, seconds):
            raise asyncio.CancelledError

    with pytest.raises(AbandonedError, match="the worker was cancelled"):
        ainvoke(stub_orchestrator(clock=Cancelling()), "cost")

    assert status(span(captured.one(), "cost_agent")) == "ERROR"
    assert tags(captured.one())["failed_domains"] == "cost"


def test_thread_that_cannot_be_started_holds_nobody(captured, monkeypatch):
    class OneThreadPool(ThreadPoolExecutor):
        jobs = 0

        def submit(self, *work):
            self.jobs += 1
            if self.jobs > 1:
                raise RuntimeError("can't start new thread")
            return super().submit(*work)

    monkeypatch.setattr("reference_agent.concurrency.ThreadPoolExecutor", OneThreadPool)
    with pytest.raises(RuntimeError, match="new thread"):
        invoke(stub_orchestrator(), "cost and access")

    trace = captured.one()
    assert span(trace, "cost_agent").attributes["error_type"] == "AbandonedError"
    assert tags(trace)["error_type"] == "RuntimeError"
    assert span(trace, "save_context").attributes["saved"] is True


def test_requests_in_parallel_make_a_trace_each(captured):
    async def ask_three():
        orchestrator = stub_orchestrator()
        requests = (orchestrator.ainvoke("cost and access", f"user-{n}", f"session-{n}") for n in range(3))
        await asyncio.gather(*requests)

    asyncio.run(ask_three())

    assert sorted(tags(trace)["user_id"] for trace in captured) == ["user-0", "user-1", "user-2"]
    for trace in captured:
        assert len(children(trace, span(trace, "query_agents"))) == 2


def test_orchestrator_is_shared_by_threads(captured):
    orchestrator = stub_orchestrator()
    threads = [
        threading.Thread(target=orchestrator.invoke, args=("cost and access", f"user-{n}", f"session-{n}"))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(tags(trace)["user_id"] for trace in captured) == ["user-0", "user-1", "user-2", "user-3"]
    assert {trace.info.state.value for trace in captured} == {"OK"}


def test_blocking_run_refuses_to_wait_for_a_loop():
    with pytest.raises(RuntimeError, match="waited for an event loop"):
        run_blocking(asyncio.sleep(0))
