"""How a trace differs from a pattern: the cheapest alignment of both, and the words for it. `explain` begins."""
