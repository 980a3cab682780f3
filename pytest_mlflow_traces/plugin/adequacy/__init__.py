"""Would the tests notice? What they ask of traces is noted while they run, and looked at when they have passed."""
