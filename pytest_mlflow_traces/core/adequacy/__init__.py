"""Would the expectations notice? Traces edited once, what a run exercised, and what ran that nothing names."""
