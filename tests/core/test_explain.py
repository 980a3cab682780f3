from __future__ import annotations

from pytest_mlflow_traces.core import explain
from tests.building import tree


def test_each_kind_of_difference_has_its_mark_and_what_is_as_expected_is_folded():
    expected = tree(
        *("orchestrator_invoke AGENT", ["load_context MEMORY", ["retrieve RETRIEVER"]]),
    )
    trace = tree("orchestrator_invoke AGENT", ["load_context MEMORY", ["retrieve RETRIEVER"], "web_search TOOL"])
    forest = trace.forest

    explanation = explain.mismatch(forest, expected.to_pattern(), forest.roots(), "trace 'orchestrator_invoke'")

    assert explanation.lines() == [
        "trace 'orchestrator_invoke' does not match: 1 unexpected",
        "",
        "  orchestrator_invoke  AGENT                      7 ms",
        "  ├─ load_context  MEMORY  (1 below as expected)",
        "+ └─ web_search  TOOL                             unexpected",
    ]
