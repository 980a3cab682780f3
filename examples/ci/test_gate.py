"""A gate: nobody wrote down what the agent must do; what it did when somebody last looked is in `__traces__`."""

from __future__ import annotations

import pytest

QUESTIONS = {
    "cost": "Why did costs spike?",
    "security": "Was there a security incident last night?",
    "broad": "Did the cost spike come from a security incident?",
    "news": "Is there any news about our budget?",
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_takes_the_way_that_was_accepted(mlflow_traces, trace_baseline, orchestrator, question):
    orchestrator.invoke(question, user_id="u1", session_id="s1")

    assert mlflow_traces.one() == trace_baseline


def test_the_second_turn_of_a_session_does_too(mlflow_traces, trace_baseline, orchestrator):
    orchestrator.invoke("Why did costs spike?", user_id="u1", session_id="s1")
    orchestrator.invoke("And the day before?", user_id="u1", session_id="s1")

    first, second = mlflow_traces
    assert first == trace_baseline("first turn")
    assert second == trace_baseline("second turn")
