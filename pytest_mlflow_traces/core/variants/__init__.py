"""Many runs of one agent: how often they are as they should be, and what became more frequent."""
