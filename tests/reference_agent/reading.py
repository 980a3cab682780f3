"""Short ways to say what a trace looks like."""


def tags(trace):
    """The user's tags."""
    return {name: value for name, value in trace.info.tags.items() if not name.startswith("mlflow.")}


def spans(trace, name):
    """All spans of a name, in the order in which they started."""
    return sorted((span for span in trace.data.spans if span.name == name), key=lambda span: span.start_time_ns)


def span(trace, name):
    """The only span of a name."""
    found = spans(trace, name)
    assert len(found) == 1, f"{len(found)} spans named {name!r} in {sorted(s.name for s in trace.data.spans)}"
    return found[0]


def children(trace, parent):
    """Names of a span's children in the order in which they started."""
    found = [child for child in trace.data.spans if child.parent_id == parent.span_id]
    return [child.name for child in sorted(found, key=lambda child: child.start_time_ns)]


def status(span):
    """OK, ERROR or UNSET."""
    return span.status.status_code.value


def events(span):
    """Names of a span's events."""
    return [event.name for event in span.events]


def overlap(one, other):
    """Whether two spans ran side by side."""
    return one.start_time_ns < other.end_time_ns and other.start_time_ns < one.end_time_ns


def duration_ms(span):
    """How long a span took, to the microsecond."""
    return round((span.end_time_ns - span.start_time_ns) / 1e6, 3)
