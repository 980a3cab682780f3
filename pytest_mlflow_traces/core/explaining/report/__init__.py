"""Findings and the annotated tree, made from what an alignment found."""
