"""The shapes of many runs of one agent: which there are, and the pattern that holds for all of them."""
