"""Each framework passes the battery in a process of its own, which writes nothing and asks nobody but loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.frameworks.network import LOG

if TYPE_CHECKING:
    from tests.frameworks.table import Framework

HERE = Path(__file__).parent


def run(framework: Framework, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "cwd").mkdir()
    options = ["-q", "-p", "no:cacheprovider", "-k", f"{framework.module}-", "--no-header"]
    environment = {**os.environ, LOG: str(folder / "refused"), "PYTHONPATH": str(HERE.parent.parent)}
    command = [sys.executable, "-m", "pytest", str(HERE / "battery.py"), *options]
    return subprocess.run(
        command, cwd=folder / "cwd", env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_framework(framework: Framework, tmp_path: Path):
    done = run(framework, tmp_path)

    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert list((tmp_path / "cwd").iterdir()) == []
    assert not (tmp_path / "refused").exists()
