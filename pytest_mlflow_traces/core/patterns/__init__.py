"""The pattern language as data."""
