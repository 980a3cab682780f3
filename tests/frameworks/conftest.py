"""A model on loopback and no other network, for every test of the battery."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.frameworks import network  # noqa: F401  # which guards from now on
from tests.frameworks.model import Model, serving
from tests.frameworks.table import FRAMEWORKS, Agent, Framework

if TYPE_CHECKING:
    from collections.abc import Iterator

# LiteLLM fetches a list of prices when it is imported, unless it is told that it has one; the keys are none
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
os.environ |= dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "none")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    check = metafunc.function.__name__.removeprefix("test_")
    if "agent" in metafunc.fixturenames:
        rows = [(framework, agent) for framework in FRAMEWORKS for agent in framework.agents]
        metafunc.parametrize(
            ("framework", "agent"), [_row(*row, check) for row in rows if check in row[0].checks(row[1])]
        )
    elif "framework" in metafunc.fixturenames:
        rows_of_one = [pytest.param(each, id=each.module, marks=_marks(each, check)) for each in FRAMEWORKS]
        metafunc.parametrize("framework", rows_of_one)


def _row(framework: Framework, agent: Agent, check: str) -> Any:
    return pytest.param(framework, agent, id=f"{framework.module}-{agent.name}", marks=_marks(agent, check))


def _marks(row: Framework | Agent, check: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.xfail(reason=row.fails[check], strict=True)] if check in row.fails else []


@pytest.fixture(scope="session")
def _serving() -> Iterator[Model]:
    with serving() as model, pytest.MonkeyPatch.context() as patch:
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
            patch.setenv(name, f"{model.url}/v1")
        for name in ("ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
            patch.setenv(name, model.url)
        yield model


@pytest.fixture
def model(_serving: Model, agent: Agent) -> Model:
    _serving.follow(*agent.script, answers=agent.answers)
    return _serving
