"""The bugs that agent repos really ship: each a small agent, a test that shows it caught, and its mended twin passing.

What a reader gets to see is asserted word for word where it matters: the message must let one name the bug.
"""

from __future__ import annotations

import pytest

from pytest_mlflow_traces import capture_traces


@pytest.fixture
def traces():
    """The traces of one test."""
    with capture_traces() as captured:
        yield captured
