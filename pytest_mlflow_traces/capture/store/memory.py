"""The tracking store that answers every read while a capture is open.

Traces come from the capture's log, never through `log_spans`; what is not about traces, assessments or experiments
(runs, metrics, params, models, datasets) goes to a real MLflow file store in a temporary directory, made when first
used.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from mlflow.entities import Trace, TraceData
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.tracing.utils.prompt import update_linked_prompts_tag
from mlflow.utils.validation import _validate_trace_tag

from pytest_mlflow_traces.capture.mlflow_internals import SpansLocation, TraceMetadataKey, TraceTagKey, forget_artifacts
from pytest_mlflow_traces.capture.store import search
from pytest_mlflow_traces.capture.store.assessments import AssessmentStore
from pytest_mlflow_traces.capture.store.database import as_text, database
from pytest_mlflow_traces.capture.store.experiments import ExperimentStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlflow.entities import Experiment

    from pytest_mlflow_traces.capture.log import TraceLog


class MemoryStore(ExperimentStore, AssessmentStore, AbstractStore):
    """A tracking store that answers MLflow's reads from a trace log."""

    def __init__(
        self,
        log: TraceLog,
        experiments: Iterable[Experiment] = (),
        *,
        others: Callable[[], Iterable[TraceLog]] = tuple,
    ) -> None:
        self._log = log
        self._others = others  # other logs in which to look for a trace whose id is given
        self._directory: str | None = None
        self._files: Any = None
        self._registry: Any = None
        self._linked: dict[str, set[str]] = {}  # the traces of each run that they were linked to
        ExperimentStore.__init__(self, experiments)  # not AbstractStore's: it makes queues for asynchronous logging

    # -- reading traces

    def known_info(self, trace_id: str) -> Any:
        """The info of a captured trace, itself."""
        return self._known(trace_id).info

    def _known(self, trace_id: str) -> Any:
        raw = self._raw(trace_id)
        if raw is None:
            raise MlflowException(f"Trace with ID '{trace_id}' not found.", RESOURCE_DOES_NOT_EXIST)
        return raw

    def _raw(self, trace_id: str) -> Any:
        raws = (log.raw(trace_id) for log in (self._log, *self._others()))
        return next((raw for raw in raws if raw is not None), None)

    def touch(self, trace_id: str) -> None:
        """Note that the tags or the assessments of a trace were changed."""
        for log in (self._log, *self._others()):
            log.touch(trace_id)

    def get_trace_info(self, trace_id: str) -> Any:
        return _served(self.known_info(trace_id))

    def get_trace(self, trace_id: str, *, allow_partial: bool = False) -> Any:
        raw = self._known(trace_id)
        return Trace(_served(raw.info), raw.data)

    def batch_get_traces(self, trace_ids: list[str], location: Any = None, experiment_ids: Any = None) -> list[Any]:
        raws = [raw for raw in map(self._raw, trace_ids) if raw is not None and _is_in(raw.info, experiment_ids)]
        return [Trace(_served(raw.info), raw.data) for raw in raws]

    def batch_get_trace_infos(
        self, trace_ids: list[str], location: Any = None, experiment_ids: Any = None
    ) -> list[Any]:
        return [trace.info for trace in self.batch_get_traces(trace_ids, location, experiment_ids)]

    def search_traces(
        self,
        experiment_ids: list[str] | None = None,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
        model_id: str | None = None,
        locations: list[str] | None = None,
    ) -> tuple[list[Any], str | None]:
        if model_id is not None:  # MLflow's clients give no filter beside it
            filter_string = f"request_metadata.`{TraceMetadataKey.MODEL_ID}` = '{model_id}'"
        asked = {
            "filter_string": filter_string,
            "order_by": order_by,
            "max_results": max_results,
            "page_token": page_token,
        }
        places = locations or experiment_ids
        page = None
        if places and not (locations and experiment_ids) and all(map(_is_place, places)):
            raws = [raw for raw in self._log.raws() if _is_in(raw.info, places)]
            page = search.plain_page(raws, self._linked, **asked)
        if page is None:
            asked.update(experiment_ids=experiment_ids, locations=locations)
            page = database().search(self._log.states(), self._linked, **asked)
        raws, token = page
        return [_served(raw.info) for raw in raws], token

    # -- writing them

    def start_trace(self, trace_info: Any) -> Any:
        """Keep a trace that comes the ordinary way: in a child process, or by a client's own call."""
        trace_info.tags[TraceTagKey.SPANS_LOCATION] = SpansLocation.TRACKING_STORE.value
        known = self._log.raw(trace_info.trace_id)
        self._log.put(len(self._log), Trace(trace_info, known.data if known else TraceData([])))
        return trace_info

    def log_spans(self, location: str, spans: list[Any], tracking_uri: Any = None) -> list[Any]:
        return spans

    async def log_spans_async(self, location: str, spans: list[Any]) -> list[Any]:
        return spans

    def _delete_traces(
        self,
        experiment_id: str,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: list[str] | None = None,
    ) -> int:
        doomed = [raw.info for raw in self._log.raws() if _is_in(raw.info, [experiment_id])]
        if trace_ids:
            doomed = [info for info in doomed if info.trace_id in trace_ids]
        if max_timestamp_millis is not None:
            doomed = [info for info in doomed if info.timestamp_ms <= max_timestamp_millis]
        doomed.sort(key=lambda info: info.timestamp_ms)
        return self._log.remove(info.trace_id for info in doomed[:max_traces])

    def set_trace_tag(self, trace_id: str, key: str, value: Any) -> None:
        _validate_trace_tag(key, value)
        self.known_info(trace_id).tags[key] = str(value)
        self.touch(trace_id)

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        tags = self.known_info(trace_id).tags
        if key not in tags:
            raise MlflowException(
                f"No trace tag with key '{key}' for trace with ID '{trace_id}'", RESOURCE_DOES_NOT_EXIST
            )
        del tags[key]
        self.touch(trace_id)

    def link_prompts_to_trace(self, trace_id: str, prompt_versions: list[Any]) -> None:
        tags = self.known_info(trace_id).tags
        tags[TraceTagKey.LINKED_PROMPTS] = update_linked_prompts_tag(
            tags.get(TraceTagKey.LINKED_PROMPTS), prompt_versions
        )
        self.touch(trace_id)

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        self._linked.setdefault(run_id, set()).update(trace_ids)
        for trace_id in trace_ids:
            self.touch(trace_id)

    def unlink_traces_from_run(self, trace_ids: list[str], run_id: str) -> None:
        self._linked.get(run_id, set()).difference_update(trace_ids)
        for trace_id in trace_ids:
            self.touch(trace_id)

    # -- everything else

    @property
    def _place(self) -> str:
        """The temporary directory for what is not about traces, made when first asked for."""
        with self._lock:
            if self._directory is None:
                self._directory = tempfile.mkdtemp(prefix="pytest-mlflow-traces-")
                self._remove = weakref.finalize(self, _remove, self._directory, os.getpid())
            return self._directory

    def files(self) -> Any:
        """A real MLflow store in the temporary directory, with the same experiments."""
        with self._lock:
            if self._files is None:
                try:
                    from mlflow.store.tracking.file_store import FileStore
                except ImportError as error:
                    raise MlflowException(
                        "Runs, metrics, params and models need the full `mlflow` package; with `mlflow-tracing` alone"
                        f" a capture serves traces, tags, assessments and experiments ({error})"
                    ) from error
                self._files = _with_file_stores_allowed(FileStore, f"{self._place}/mlruns")
                for experiment in self._experiments.values():
                    self._mirror_experiment(experiment)
            return self._files

    def registry(self) -> Any:
        """A real registry of models and prompts in the temporary directory."""
        with self._lock:
            if self._registry is None:
                from mlflow.store.model_registry.file_store import FileStore

                self._registry = _with_file_stores_allowed(FileStore, f"{self._place}/registry")
            return self._registry

    def _mirror_experiment(self, experiment: Experiment) -> None:
        if self._files is not None and not self._files._has_experiment(experiment.experiment_id):
            self._files._create_experiment_with_id(experiment.name, experiment.experiment_id, None, None)

    def close(self) -> None:
        """Wait for what is still being written, and remove the temporary directory."""
        with self._lock:
            if self._files is not None:
                self._files.shut_down_async_logging()
            if self._directory is not None:
                forget_artifacts(self._directory)
                self._remove()


def _remove(directory: str, process: int) -> None:
    """Remove a directory, but not when a forked child of the process that made it ends."""
    if os.getpid() == process:
        shutil.rmtree(directory, ignore_errors=True)


def _with_file_stores_allowed(make: Any, *arguments: Any) -> Any:
    """Call a constructor that warns, and that MLflow 3.13 and later refuse without `MLFLOW_ALLOW_FILE_STORE`."""
    before = os.environ.get("MLFLOW_ALLOW_FILE_STORE")
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make(*arguments)
    finally:
        if before is None:
            del os.environ["MLFLOW_ALLOW_FILE_STORE"]
        else:
            os.environ["MLFLOW_ALLOW_FILE_STORE"] = before


def _served(info: Any) -> Any:
    """Copy the info as a store would return it: tags as text, and a word that the spans are in the store."""
    served = copy.copy(info)
    served.tags = as_text(info.tags)
    served.tags[TraceTagKey.SPANS_LOCATION] = SpansLocation.TRACKING_STORE.value
    served.trace_metadata = as_text(info.trace_metadata)
    served.assessments = [copy.copy(assessment) for assessment in info.assessments]
    return served


def _is_in(info: Any, places: list[str] | None) -> bool:
    """Return whether a trace is in one of these experiments.

    Tables of Unity Catalog hold all: where traces would go is not looked at inside a capture.
    """
    if not places or info.experiment_id is None:
        return True
    return any(str(place) == info.experiment_id or "." in str(place) for place in places)


def _is_place(place: Any) -> bool:
    return isinstance(place, str) and ("." in place or (place.isdecimal() and place == str(int(place))))


def _delegate(name: str) -> Any:
    def call(self: MemoryStore, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.files(), name)(*args, **kwargs)

    call.__name__ = name
    return call


# By name over the whole of AbstractStore: a stub that stayed inherited would raise NotImplementedError in a test.
for _name in dir(AbstractStore):
    _inherited = getattr(AbstractStore, _name)
    is_ours = _name == "delete_traces" or getattr(MemoryStore, _name) is not _inherited  # that one calls _delete_traces
    if callable(_inherited) and not _name.startswith("__") and not is_ours:
        setattr(MemoryStore, _name, _delegate(_name))
