"""The page of the frameworks says what the battery says."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from tests.frameworks.table import FRAMEWORKS, Framework

PAGE = Path(__file__).parent.parent.parent / "docs/how-to/frameworks.md"


def row(framework: Framework) -> str:
    """Return what a row of the page's table says: a framework, how it is asked, and what does not hold."""
    agents = ", ".join(f"`{agent.name}`" for agent in framework.agents)
    whys: dict[str, list[str]] = {}
    for agent in framework.agents:
        for why in dict.fromkeys(agent.fails.values()):
            whys.setdefault(why, []).append(f"`{agent.name}`")
    fails = "; ".join(f"{', '.join(names)}: {why}" for why, names in whys.items())
    return f"| {framework.name} {version(framework.distribution)} | {agents} | {fails} |"


def test_page():
    table = PAGE.read_text(encoding="utf-8").partition("## What works\n")[2].partition("\n## ")[0]
    head, *rows = [line for line in table.split("\n") if line.startswith("| ")]

    assert f"with MLflow {version('mlflow')}" in head
    assert rows == [row(framework) for framework in FRAMEWORKS]
