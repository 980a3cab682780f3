"""Contracts from the runs of tests that passed: what the runs have in common, and how sure that is."""
