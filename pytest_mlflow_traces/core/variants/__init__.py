"""Many runs of one agent: which shapes there are, and the pattern that holds for all of them."""
