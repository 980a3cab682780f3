"""What is remembered, for how long, and what happens when it cannot be."""

import pytest

from reference_agent import stub_orchestrator
from reference_agent.clocks import VirtualClock
from reference_agent.memory import Memory, MemoryUnavailableError
from tests.reference_agent.reading import events, span, status, tags

HOUR = 3600
DAY = 24 * HOUR


def contents(documents):
    return [document["page_content"] for document in documents]


@pytest.fixture
def clock():
    return VirtualClock(start=1_700_000_000)


@pytest.fixture
def memory(clock):
    memory = Memory(clock=clock)
    yield memory
    memory.close()


def test_session_keeps_its_last_ten_messages_for_a_day(captured, memory, clock):
    for number in range(7):
        memory.save_turn("ada", "s1", f"question {number}", f"answer {number}", ["cost"])
    clock.sleep(DAY - 1)
    messages = memory.retrieve_short_term("ada", "s1")
    clock.sleep(2)

    assert len(messages) == 10
    assert contents(messages)[0] == "question 2"
    assert contents(messages)[-1] == "answer 6"
    assert messages[0]["metadata"] == {"role": "user", "domains": "cost", "at": 1_700_000_000}
    assert memory.retrieve_short_term("ada", "s1") == []


def test_user_keeps_what_they_ask_most_often_for_a_year(captured, memory, clock):
    for question in ("a", "b", "b", "c", "b", "c"):
        memory.save_turn("ada", None, question, "answer", [])
    clock.sleep(364 * DAY)
    frequent = memory.retrieve_long_term("ada")
    clock.sleep(2 * DAY)

    assert contents(frequent) == ["b", "c", "a"]
    assert frequent[0]["metadata"] == {"kind": "frequent_query", "times": 3}
    assert memory.retrieve_long_term("ada") == []


def test_user_keeps_at_most_twenty_queries(captured, memory):
    for number in range(25):
        memory.save_turn("ada", None, f"question {number}", "answer", [])

    assert len(memory.retrieve_long_term("ada")) == 20


def test_nothing_is_recalled_without_a_session(captured, memory):
    memory.save_turn("ada", None, "question", "answer", [])

    assert memory.retrieve_short_term("ada", None) == []


def test_profile_reaches_the_prompt(captured, memory):
    memory.remember_user("ada", role="a finance lead", currency="EUR")
    stub_orchestrator(memory=memory).invoke("Why did costs spike?", user_id="ada")

    trace = captured.one()
    loaded = span(trace, "load_context")
    assert loaded.attributes["user_role"] == "a finance lead"
    assert loaded.attributes["preference_count"] == 1
    assert loaded.outputs == {"message_count": 0, "has_preferences": True, "missing": []}
    prompts = [str(each.inputs) for each in trace.data.spans if each.name == "StubChat"]
    assert "The reader is a finance lead (currency: EUR)." in prompts[-1]


def test_memory_in_a_file_outlives_the_process(captured, tmp_path):
    path = str(tmp_path / "memory.db")
    first = Memory(path)
    first.save_turn("ada", "s1", "question", "answer", [])
    first.close()
    second = Memory(path)

    assert contents(second.retrieve_short_term("ada", "s1")) == ["question", "answer"]
    second.close()


def test_request_does_without_a_memory_that_is_unavailable(captured, memory):
    memory.close()
    answer = stub_orchestrator(memory=memory).invoke("Why did costs spike?", user_id="ada", session_id="s1")

    trace = captured.one()
    loaded, saved = span(trace, "load_context"), span(trace, "save_context")
    assert "Spend rose" in answer["content"]
    assert trace.info.state == "OK"
    assert tags(trace)["has_error"] == "false"
    assert status(loaded) == "OK"
    assert loaded.attributes["degraded"] is True
    assert loaded.outputs["missing"] == ["short_term", "long_term"]
    assert events(loaded) == ["memory_unavailable", "memory_unavailable"]
    for name in ("retrieve_short_term", "retrieve_long_term", "save_context"):
        assert status(span(trace, name)) == "ERROR"
        assert span(trace, name).attributes["error_type"] == "MemoryUnavailableError"
    assert saved.attributes["saved"] is False


def test_half_a_memory_is_used(captured, memory):
    class HalfMemory(Memory):
        def retrieve_long_term(self, user_id):
            raise MemoryUnavailableError("the long-term store is down")

    half = HalfMemory()
    orchestrator = stub_orchestrator(memory=half)
    orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")
    orchestrator.invoke("And now?", user_id="ada", session_id="s1")
    half.close()

    _, second = captured
    assert span(second, "load_context").outputs == {
        "message_count": 2,
        "has_preferences": False,
        "missing": ["long_term"],
    }


def test_retrieved_messages_are_documents_on_a_retriever_span(captured, memory):
    orchestrator = stub_orchestrator(memory=memory)
    orchestrator.invoke("Why did costs spike?", user_id="ada", session_id="s1")
    orchestrator.invoke("And now?", user_id="ada", session_id="s1")

    _, second = captured
    retrieved = span(second, "retrieve_short_term")
    assert retrieved.inputs == {"user_id": "ada", "session_id": "s1"}
    assert retrieved.outputs[0]["page_content"] == "Why did costs spike?"
    assert retrieved.outputs[0]["metadata"]["domains"] == "cost"


def test_turn_is_saved_whole_or_not_at_all(captured, memory):
    with pytest.raises(MemoryUnavailableError):
        memory.save_turn("ada", "s1", "question", object(), [])

    assert memory.retrieve_short_term("ada", "s1") == []
