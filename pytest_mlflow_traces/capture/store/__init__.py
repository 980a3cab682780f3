"""The in-memory store that answers what code under test reads."""
