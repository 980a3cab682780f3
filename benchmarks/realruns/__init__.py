"""What learnt contracts catch in real runs of two agents, beside what a recorded baseline and process miners do."""
