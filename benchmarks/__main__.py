"""Run every benchmark, one after the other, as Markdown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Print each table under the first line of what it measures; return how many missed a bar."""
    missed = 0
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        name = f"benchmarks.{path.stem}"
        title = path.read_text().split('"""')[1].split("\n")[0]
        print(f"\n## {path.stem}\n\n{title}\n", flush=True)
        missed += subprocess.run([sys.executable, "-m", name], check=False).returncode != 0  # noqa: S603  # our own
    return missed


if __name__ == "__main__":
    sys.exit(main())
