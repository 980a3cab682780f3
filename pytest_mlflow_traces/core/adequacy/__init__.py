"""Would the expectations notice? Traces edited once, and what says the same of them as before."""
