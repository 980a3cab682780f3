"""The traces of a run, sent to a tracking server: `python -m pytest_mlflow_traces.cli.export`, in a process of its own.

There MLflow is as it was installed, whatever the tests did to it, and the run that waits can stop waiting. What is to
be sent comes in by standard input, as JSON Lines: where to, then a line for each test. Each line that goes out says how
far it is.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from pytest_mlflow_traces.cli.tracking_store import client_of
from pytest_mlflow_traces.core.findings import Finding
from pytest_mlflow_traces.core.runs.places import Places
from pytest_mlflow_traces.core.text.redaction import redacted, redacted_values
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.traces import TraceFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlflow import MlflowClient

SOURCE = "pytest-mlflow-traces"
_LONGEST_TAG = 4096  # characters, which is what a client of MLflow cuts at
_OF_THE_STORE = ("mlflow.artifactLocation", "mlflow.trace.spansLocation")  # another one keeps its traces elsewhere


def main(source: TextIO, target: TextIO) -> int:
    """Send what `source` holds; return the exit status."""

    def say(**said: object) -> None:
        target.write(json.dumps(said) + "\n")
        target.flush()

    where = json.loads(source.readline())
    try:
        client = client_of(where["uri"])
        say(ready=True)
        experiment = _experiment(client, where["experiment"])
        say(experiment=experiment)
        for line in source:
            test = json.loads(line)
            for _ in _sent(client, experiment, test):
                say(sent=1)
    except Exception as error:  # whatever it is, the run has a line for it, and no traceback
        text = error if isinstance(error, TraceFileError) else f"{type(error).__name__}: {error}"
        say(error=str(text))
        return 1
    say(done=True)
    return 0


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _sent(client: MlflowClient, experiment: str, test: dict[str, Any]) -> Iterable[None]:
    """Send the traces of one test, with what was found in each; yield once for each trace."""
    from mlflow.entities import AssessmentSource, Feedback

    traces = test["traces"]
    read = [Trace.from_json(json.dumps(each)) for each in traces]
    places = Places(read)
    found: list[list[Feedback]] = [[] for _ in traces]
    for finding in (Finding(**each) for each in test["findings"]):
        number, position = places.of(finding)
        record = None if position is None else read[number].table.records[position]
        found[number].append(
            Feedback(
                name=finding.rule,
                value=False,
                source=AssessmentSource(source_type="CODE", source_id=SOURCE),
                trace_id=read[number].id,
                span_id=None if record is None else record.span_id,
                rationale=redacted(str(finding)),
                metadata={"test.nodeid": test["test"][:_LONGEST_TAG]},
            )
        )
    tags = {"test.nodeid": test["test"][:_LONGEST_TAG], "test.outcome": test["outcome"]}
    for said, feedback in zip(traces, found, strict=True):
        _send(client, experiment, redacted_values(said), tags)
        for each in feedback:
            client._tracing_client.log_assessment(said["info"]["trace_id"], each)
        yield


def _send(client: MlflowClient, experiment: str, said: dict[str, Any], tags: dict[str, str]) -> None:
    """Send one trace under its own id: its spans, and what is known of the whole."""
    from mlflow.entities import Trace as MlflowTrace
    from mlflow.entities.trace_location import TraceLocation
    from mlflow.exceptions import MlflowException

    trace = MlflowTrace.from_dict({"info": said["info"], "data": said["data"]})
    info = trace.info
    info.trace_location = TraceLocation.from_experiment_id(experiment)
    info.tags = {key: text for key, text in info.tags.items() if key not in _OF_THE_STORE} | tags
    tracing = client._tracing_client
    kept = tracing.start_trace(info)
    try:
        tracing.log_spans(experiment, trace.data.spans)
    except (NotImplementedError, MlflowException) as error:  # a server that has no place for spans but in a file
        if not isinstance(error, NotImplementedError) and "span logging is not supported" not in error.message:
            raise
        tracing._upload_trace_data(kept, trace.data)


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
