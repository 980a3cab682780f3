"""Rules of order between the spans of a tree: what comes after, before or inside of what, and what never does."""
