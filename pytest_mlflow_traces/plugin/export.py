"""The traces of a run on their way to a tracking server: what is sent by a process of its own, and how far that is.

Whatever goes wrong there is told, and changes nothing of the run: a server is no part of the tests.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pytest_mlflow_traces.core.spans.records import escaped
from pytest_mlflow_traces.core.text.counts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MODULE = "pytest_mlflow_traces.cli.export"
DEFAULT = "Default"  # the experiment that MLflow makes itself
START_S = 60.0  # to import MLflow
SILENCE_S = 20.0  # between one trace and the next
TOTAL_S = 300.0
_WIDTH = 20


class StandardError:
    """What stands for the terminal of a run that has none (`-p no:terminal`)."""

    isatty = False

    def write_line(self, line: str, **_: object) -> None:
        """Write a line."""
        sys.stderr.write(f"{line}\n")


class Export:
    """One export to `URI#EXPERIMENT`."""

    def __init__(self, target: str) -> None:
        self._uri, _, name = target.partition("#")
        self._experiment = name or DEFAULT
        self._sent = 0
        self._total = 0

    def send(self, tests: Sequence[Mapping[str, Any]], reporter: Any) -> tuple[str, bool]:
        """Send the traces of some tests; return what came of it in words, and whether all are there."""
        with tempfile.TemporaryFile() as given:
            self._write(tests, given)
            if not self._total:
                return f"nothing to export to {self._shown}: no trace was captured", True
            given.seek(0)
            try:
                url = self._run(given, reporter)
            except (OSError, RuntimeError) as error:
                reason = escaped(str(error).replace(self._uri, self._shown).split("\n")[0])
                exported = f"{self._sent} of {counted(self._total, 'trace')} exported to {self._shown}"
                return f"warning: {exported}: {reason}", False
        return f"{counted(self._total, 'trace')} exported to {url}", True

    def _write(self, tests: Sequence[Mapping[str, Any]], given: IO[bytes]) -> None:
        given.write(json.dumps({"uri": self._uri, "experiment": self._experiment}).encode() + b"\n")
        for test in tests:
            lines = test["traces"].splitlines()
            self._total += len(lines)
            head = json.dumps({key: value for key, value in test.items() if key != "traces"})
            given.write(head[:-1].encode() + b', "traces": [' + b",".join(lines) + b"]}\n")

    def _run(self, given: IO[bytes], reporter: Any) -> str:
        """Wait for the process that sends; return the address where the traces are to be seen."""
        command = [sys.executable, "-W", "ignore", "-m", MODULE]
        process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(), text=True
        )
        try:
            for said in _said(process):
                if "error" in said:
                    raise RuntimeError(said["error"])
                if "experiment" in said:
                    url = self._url(said["experiment"])
                self._sent += said.get("sent", 0)
                self._show(reporter)
                if "done" in said:
                    return url
            raise RuntimeError(f"the process that sends ended with status {process.wait()}")
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            if reporter.isatty:
                reporter.rewrite("", erase=True)

    def _show(self, reporter: Any) -> None:
        if reporter.isatty:
            done = _WIDTH * self._sent // self._total
            reporter.rewrite(f"exporting [{'#' * done:<{_WIDTH}}] {self._sent}/{self._total}", erase=True)

    def _url(self, experiment: str) -> str:
        if urlsplit(self._uri).scheme not in ("http", "https"):
            return f"{self._shown}, experiment {self._experiment!r}"
        return f"{self._shown.rstrip('/')}/#/experiments/{experiment}/traces"

    @property
    def _shown(self) -> str:
        """The URI without a password."""
        parts = urlsplit(self._uri)
        return escaped(
            urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else self._uri
        )


def _environment() -> dict[str, str]:
    """Return what the process that sends is to know: not the server of the tests, and no patience that we lack."""
    # where this package came from may be known to this process alone
    paths = [str(Path(__file__).parent.parent.parent), os.environ.get("PYTHONPATH", "")]
    unknown = {"MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"}
    return {
        **{key: value for key, value in os.environ.items() if key not in unknown},
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": str(round(SILENCE_S)),
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    }


def _said(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield what a process says, until it ends; raise where it says nothing for too long."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    end, patience = time.monotonic() + TOTAL_S, START_S
    while True:
        try:
            line = lines.get(timeout=max(0.0, min(patience, end - time.monotonic())))
        except queue.Empty:
            waited = "it takes too long" if time.monotonic() >= end else f"no answer in {patience:.0f} s"
            raise RuntimeError(waited) from None
        if not line:
            return
        patience = SILENCE_S
        yield json.loads(line)
