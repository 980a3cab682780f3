"""Baselines: patterns in text, and how they are brought up to date."""
