"""Would the expectations notice? What a run exercised of them, and what ran that none of them names."""
