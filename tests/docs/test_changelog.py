"""`CHANGELOG.md` has the format of keepachangelog.com, and the package names it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent.parent
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_its_headings_are_versions_with_dates_and_the_six_kinds_of_change():
    lines = (ROOT / "CHANGELOG.md").read_text().splitlines()
    versions = [line for line in lines if line.startswith("## ")]

    assert lines[0] == "# Changelog"
    assert versions[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", line) for line in versions[1:])
    assert {line.removeprefix("### ") for line in lines if line.startswith("###")} <= KINDS


def test_the_urls_of_the_package_are_files_of_the_repository():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]

    assert sorted(urls) == ["Changelog", "Documentation"]
    assert all((ROOT / path).is_file() for path in urls.values())
