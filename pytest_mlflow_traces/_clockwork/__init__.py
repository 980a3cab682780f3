"""How virtual time works: a timeline on which everything takes turns, and what waits on it."""
