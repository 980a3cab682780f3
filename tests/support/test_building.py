from tests.support.building import tree


def test_a_list_after_a_span_is_its_children():
    trace = tree("agent AGENT", ["plan", "search TOOL ERROR", ["attempt"], "chat gpt"], "second root")

    assert [span.path for span in trace.spans] == [
        "agent",
        "agent > plan",
        "agent > search",
        "agent > search > attempt",
        "agent > chat gpt",
        "second root",
    ]
    assert (trace.spans[2].type, trace.spans[2].status) == ("TOOL", "ERROR")


def test_times_are_given_or_follow_a_clock():
    first, parent, child, unfinished = tree("first", "parent", ["child @1.5-9"], "unfinished @20-").spans

    assert (first.start_ns, first.end_ns) == (0, 1_000_000)
    assert (child.start_ns, child.end_ns) == (1_500_000, 9_000_000)
    assert unfinished.end_ns is None
    assert not first.overlaps(parent)
