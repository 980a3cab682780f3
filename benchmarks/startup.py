"""What the plugin costs a pytest run that does not use it: one empty test, with the plugin and with `-p no:` it.

Both sides alternate, so that a machine that is slow for a while is slow for both; medians of CPU time are compared,
which other programs disturb less than wall-clock time.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

BAR = 1.05
# the plugins that happen to be installed beside ours are blocked on both sides: they would only flatter the ratio
OTHERS = sorted({point.name for point in entry_points(group="pytest11")} - {"mlflow_traces"})


def cpu_seconds(*args: str, directory: str) -> float:
    """Return the CPU time of one pytest run in a directory of one empty test."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    blocked = [word for name in ("cacheprovider", *OTHERS) for word in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-q", *blocked, *args]
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed plugin has its bytecode beside it
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)  # noqa: S603  # our own words
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def measured(rounds: int) -> tuple[float, float]:
    """Return the median seconds with the plugin loaded, and without it."""
    used, unused = [], []
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_empty.py").write_text("def test_empty(): pass\n")
        Path(directory, "pytest.ini").write_text("[pytest]\n")
        for number in range(rounds + 1):
            with_it = cpu_seconds(directory=directory)
            without = cpu_seconds("-p", "no:mlflow_traces", directory=directory)
            if number:  # the first round warms the disk's cache
                used.append(with_it)
                unused.append(without)
    return statistics.median(used), statistics.median(unused)


def main(argv: list[str] | None = None) -> bool:
    """Print the table; return whether the bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="how many runs of each side (default 21)")
    used, unused = measured(parser.parse_args(argv).rounds)
    ratio = used / unused
    print("| pytest on one empty test | CPU ms | ratio | bar |")
    print("|---|---|---|---|")
    print(f"| without the plugin | {unused * 1e3:.0f} | 1.00 | |")
    print(f"| with it, unused | {used * 1e3:.0f} | {ratio:.3f} | <= {BAR} |")
    return ratio <= BAR


if __name__ == "__main__":
    sys.exit(not main())
