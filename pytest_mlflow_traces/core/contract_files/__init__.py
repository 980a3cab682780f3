"""Contracts as data: the text of a contract file to a contract, and back."""
