"""Virtual time: a discrete event simulation of everything that waits."""
