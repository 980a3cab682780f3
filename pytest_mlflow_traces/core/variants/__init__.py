"""Many runs of one agent: which shapes there are, what holds of all, how often, and what became more frequent."""
