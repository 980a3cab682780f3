"""The cheapest alignment of a pattern with a trace."""
