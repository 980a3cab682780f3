"""Budgets of latency, tokens, cost and calls."""
