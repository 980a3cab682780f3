"""Words: durations, suggestions and redaction."""
