"""Baselines in a pytest run: the fixture, how it is set, and which test owns which."""
