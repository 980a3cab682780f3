"""What one run of a suite has learned, and how two runs differ."""
