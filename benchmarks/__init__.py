"""Every figure that the README quotes, each measured beside what one would use instead, both in one run."""
