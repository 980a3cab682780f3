"""Traces in a tracking store: page after page of a search, by MLflow's own client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow.exceptions import MlflowException

from pytest_mlflow_traces.core.spans.records import visible
from pytest_mlflow_traces.core.trace import Trace
from pytest_mlflow_traces.files.traces import StoredTrace, TraceFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlflow import MlflowClient

_PAGE = 100


def tracked_traces(uri: str, experiments: Sequence[str], filter_string: str | None) -> Iterator[StoredTrace]:
    """Yield the traces of experiments (names or ids), the oldest first, as far as MLflow's filter lets them through.

    Raises:
        ValueError: for an experiment or a file of SQLite that is not there, whatever MLflow says against the search, or
            where only `mlflow-tracing` is installed, which has no client.
    """
    try:
        client = client_of(uri)
        locations = [_experiment_id(client, experiment, uri) for experiment in experiments]
        token = None
        while True:
            page = client.search_traces(
                locations=locations,
                filter_string=filter_string,
                max_results=_PAGE,
                order_by=["timestamp_ms ASC"],
                page_token=token,
            )
            yield from (_stored(raw, uri) for raw in page)
            token = page.token
            if not token:
                return
    except MlflowException as error:
        raise TraceFileError(f"{uri}: {error.message}") from None


def tracked_trace(uri: str, trace_id: str) -> Iterator[StoredTrace]:
    """Yield the trace of this id, wherever in a tracking store it is.

    Raises:
        ValueError: as for `tracked_traces`, and where there is no such trace.
    """
    try:
        raw: Any = client_of(uri).get_trace(trace_id)
        yield _stored(raw, uri)
    except MlflowException as error:
        raise TraceFileError(f"{uri}: {error.message}") from None


def _stored(raw: Any, uri: str) -> StoredTrace:
    return StoredTrace(Trace.from_mlflow(raw), f"{uri}, trace {visible(raw.info.trace_id)}")


def client_of(uri: str) -> MlflowClient:
    """Return MLflow's client of a tracking store.

    Raises:
        ValueError: where only `mlflow-tracing` is installed, and for a file of SQLite that is not there.
    """
    try:
        from mlflow import MlflowClient
    except ImportError:
        raise TraceFileError(
            f"{uri}: mlflow-tracing alone has no client for it; `pip install mlflow`, or name a file of traces"
        ) from None
    file = _sqlite_file(uri)
    if file is not None and not Path(file).exists():  # which MLflow would make, with all its tables
        raise TraceFileError(f"{uri}: there is no file {visible(file)}")
    return MlflowClient(tracking_uri=uri)


def _sqlite_file(uri: str) -> str | None:
    """Return the file that a URI such as `sqlite:///mlflow.db` or `sqlite:///file:mlflow.db?uri=true` names."""
    scheme, _, rest = uri.partition(":///")
    name = rest.partition("?")[0].removeprefix("file:")
    return name if scheme.partition("+")[0] == "sqlite" and name not in ("", ":memory:") else None


def _experiment_id(client: MlflowClient, experiment: str, uri: str) -> str:
    found = client.get_experiment_by_name(experiment)
    if found is None and experiment.isdecimal():
        found = client.get_experiment(experiment)
    if found is None:
        raise TraceFileError(f"{uri}: there is no experiment {experiment!r}")
    return str(found.experiment_id)
