"""Does a trace match a pattern?"""

from __future__ import annotations

from pytest_mlflow_traces.core.matching.siblings import PatternTooComplexError as PatternTooComplexError
