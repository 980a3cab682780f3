"""A contract over a million traces in tables, by Spark: does it find what is wrong and nothing else, and how fast."""
