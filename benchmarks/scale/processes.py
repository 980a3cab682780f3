"""What the processes of Spark take, as Linux counts it: CPU time, and the memory of Python workers at its peak."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROCESSES = Path("/proc")
_EVERY_S = 0.5  # an idle worker lives for a minute, so none is missed
_WORKER = b"pyspark.daemon"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Peak:
    """The most that any worker below this process had; 0 where none was seen."""

    megabytes: float = 0

    def look(self) -> None:
        """Look at the workers that there are."""
        for process in _below(os.getpid()):
            with suppress(OSError):  # it has ended
                if _WORKER in (_PROCESSES / str(process) / "cmdline").read_bytes():
                    kilobytes = _status(process).get("VmHWM", "0 kB").split()[0]
                    self.megabytes = max(self.megabytes, int(kilobytes) / 1024)


@contextmanager
def worker_memory() -> Iterator[Peak]:
    """Watch the workers while something runs."""
    peak, ended = Peak(), threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_S):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()
        peak.look()


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those below it, so far."""
    return sum(map(_cpu_seconds, [os.getpid(), *_below(os.getpid())]))


def _cpu_seconds(process: int) -> float:
    with suppress(OSError):
        said = (_PROCESSES / str(process) / "stat").read_text()
        # the 14th and 15th, where the second may have spaces in its parentheses
        return sum(map(int, said.rpartition(")")[2].split()[11:13])) / _TICKS
    return 0


def _below(process: int) -> list[int]:
    """Return the processes that this one started, and those that they did."""
    children: dict[int, list[int]] = {}
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            children.setdefault(int(_status(int(folder.name))["PPid"]), []).append(int(folder.name))
    found = [process]
    for each in found:
        found += children.get(each, [])
    return found[1:]


def _status(process: int) -> dict[str, str]:
    lines = (_PROCESSES / str(process) / "status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)
