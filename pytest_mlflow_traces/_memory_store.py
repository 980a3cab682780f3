"""The tracking store that answers every read while a capture is open.

Traces come from the capture's log, never through `log_spans`; experiments are kept here; what is about neither (runs,
metrics, params, models, datasets) goes to a real MLflow file store in a temporary directory, made when first used.
Filters, orders and pages are MLflow's own (`mlflow.utils.search_utils`), so they mean what they mean in production;
`span.*`, `feedback.*` and `trace.text` filters raise there, since they need a database.
"""

from __future__ import annotations

import copy
import os
import time
import uuid
from tempfile import TemporaryDirectory
from threading import RLock
from typing import TYPE_CHECKING, Any

from mlflow.entities import Experiment, ExperimentTag, LifecycleStage, Trace, TraceData, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchExperimentsUtils, SearchTraceUtils
from mlflow.utils.validation import _validate_trace_tag

from pytest_mlflow_traces._mlflow import SpansLocation, TraceTagKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_mlflow_traces.captured import TraceLog

_DEFAULT_EXPERIMENT = "0"


class MemoryStore(AbstractStore):
    """Answer MLflow's reads from a trace log."""

    def __init__(self, log: TraceLog, experiments: Iterable[Experiment] = ()) -> None:
        super().__init__()
        self._log = log
        self._lock = RLock()
        self._directory: TemporaryDirectory[str] | None = None
        self._files: Any = None
        self.registry: Any = None  # of models and prompts, made when first used
        self._experiments = {experiment.experiment_id: experiment for experiment in experiments}
        self._add_experiment(_DEFAULT_EXPERIMENT, "Default")
        named = os.environ.get("MLFLOW_EXPERIMENT_ID")
        if named:
            self.know_experiment(named)

    # -- experiments

    def _add_experiment(self, experiment_id: str, name: str, tags: Iterable[Any] = ()) -> Experiment:
        now = int(time.time() * 1000)
        known = self._experiments.get(experiment_id)
        if known is not None:
            return known
        experiment = Experiment(
            experiment_id, name, f"memory:///{experiment_id}", LifecycleStage.ACTIVE, list(tags), now, now
        )
        self._experiments[experiment_id] = experiment
        if self._files is not None:
            self._mirror(experiment)
        return experiment

    def know_experiment(self, experiment_id: str) -> None:
        """Answer for an experiment that the code under test was told of before the capture opened."""
        with self._lock:
            self._add_experiment(str(experiment_id), f"experiment {experiment_id}")

    @property
    def experiments(self) -> list[Experiment]:
        """The experiments there are, for a capture opened inside this one."""
        with self._lock:
            return list(self._experiments.values())

    def get_experiment(self, experiment_id: Any) -> Experiment:
        with self._lock:
            found = self._experiments.get(str(experiment_id))
        if found is None:
            raise MlflowException(f"No Experiment with id={experiment_id} exists", RESOURCE_DOES_NOT_EXIST)
        return found

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        with self._lock:
            return next((each for each in self._experiments.values() if each.name == experiment_name), None)

    def create_experiment(self, name: Any, artifact_location: Any = None, tags: Any = None) -> str:
        if not isinstance(name, str) or not name:
            raise MlflowException(f"Invalid experiment name: {name!r}", INVALID_PARAMETER_VALUE)
        with self._lock:
            if self.get_experiment_by_name(name) is not None:
                raise MlflowException(f"Experiment '{name}' already exists.", RESOURCE_ALREADY_EXISTS)
            new = str(max((int(each) for each in self._experiments if each.isdigit()), default=0) + 1)
            return str(self._add_experiment(new, name, tags or ()).experiment_id)

    def search_experiments(
        self,
        view_type: Any = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        stages = LifecycleStage.view_type_to_stages(view_type)
        found = [each for each in self.experiments if each.lifecycle_stage in stages]
        found = SearchExperimentsUtils.filter(found, filter_string)
        ordered = SearchExperimentsUtils.sort(found, order_by or ["creation_time DESC", "experiment_id ASC"])
        page, token = SearchExperimentsUtils.paginate(ordered, page_token, max_results)
        return PagedList(page, token)

    def rename_experiment(self, experiment_id: Any, new_name: str) -> None:
        self.get_experiment(experiment_id)._set_name(new_name)

    def delete_experiment(self, experiment_id: Any) -> None:
        self.get_experiment(experiment_id)._lifecycle_stage = LifecycleStage.DELETED

    def restore_experiment(self, experiment_id: Any) -> None:
        self.get_experiment(experiment_id)._lifecycle_stage = LifecycleStage.ACTIVE

    def set_experiment_tag(self, experiment_id: Any, tag: Any) -> None:
        self.get_experiment(experiment_id)._add_tag(ExperimentTag(tag.key, tag.value))

    def delete_experiment_tag(self, experiment_id: Any, key: str) -> None:
        self.get_experiment(experiment_id)._tags.pop(key, None)

    # -- traces

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

    def _raw(self, trace_id: str) -> Any:
        raw = self._log.raw(trace_id)
        if raw is None:
            raise MlflowException(f"Trace with ID {trace_id} is not found.", RESOURCE_DOES_NOT_EXIST)
        return raw

    def get_trace_info(self, trace_id: str) -> Any:
        return _served(self._raw(trace_id).info)

    def get_trace(self, trace_id: str, *, allow_partial: bool = False) -> Any:
        raw = self._raw(trace_id)
        return Trace(_served(raw.info), raw.data)

    def batch_get_traces(self, trace_ids: list[str], location: Any = None, experiment_ids: Any = None) -> list[Any]:
        raws = [raw for raw in map(self._log.raw, trace_ids) if raw is not None and _is_in(raw.info, experiment_ids)]
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
        places = [str(each) for each in (locations or experiment_ids or ())]
        infos = [_served(raw.info) for raw in self._log.raws() if _is_in(raw.info, places)]
        found = SearchTraceUtils.filter(infos, filter_string)
        page, token = SearchTraceUtils.paginate(SearchTraceUtils.sort(found, order_by), page_token, max_results)
        return page, token

    def _delete_traces(
        self,
        experiment_id: str,
        max_timestamp_millis: int | None = None,
        max_traces: int | None = None,
        trace_ids: list[str] | None = None,
    ) -> int:
        infos = [raw.info for raw in self._log.raws() if _is_in(raw.info, [experiment_id])]
        if trace_ids:
            doomed = [info for info in infos if info.trace_id in trace_ids]
        else:
            doomed = sorted(
                (info for info in infos if info.timestamp_ms <= (max_timestamp_millis or 0)),
                key=lambda info: info.timestamp_ms,
            )[:max_traces]
        return self._log.remove(info.trace_id for info in doomed)

    def set_trace_tag(self, trace_id: str, key: str, value: Any) -> None:
        _validate_trace_tag(key, value)
        self._raw(trace_id).info.tags[key] = str(value)
        self._log.touch(trace_id)

    def delete_trace_tag(self, trace_id: str, key: str) -> None:
        tags = self._raw(trace_id).info.tags
        if key not in tags:
            raise MlflowException(f"No tag with key {key} on trace {trace_id}.", RESOURCE_DOES_NOT_EXIST)
        del tags[key]
        self._log.touch(trace_id)

    def link_prompts_to_trace(self, trace_id: str, prompt_versions: list[Any]) -> None:
        """Do nothing more: the tag that links them is on the trace already."""

    def link_traces_to_run(self, trace_ids: list[str], run_id: str) -> None:
        for trace_id in trace_ids:
            self._raw(trace_id).info.trace_metadata["mlflow.sourceRun"] = run_id
            self._log.touch(trace_id)

    def unlink_traces_from_run(self, trace_ids: list[str], run_id: str) -> None:
        for trace_id in trace_ids:
            metadata = self._raw(trace_id).info.trace_metadata
            if metadata.get("mlflow.sourceRun") == run_id:
                del metadata["mlflow.sourceRun"]
                self._log.touch(trace_id)

    # -- assessments

    def create_assessment(self, assessment: Any) -> Any:
        made = copy.copy(assessment)
        now = int(time.time() * 1000)
        made.assessment_id = made.assessment_id or f"a-{uuid.uuid4().hex}"
        made.create_time_ms = made.create_time_ms or now
        made.last_update_time_ms = made.last_update_time_ms or now
        info = self._raw(assessment.trace_id).info
        for other in info.assessments:
            if made.overrides is not None and other.assessment_id == made.overrides:
                other.valid = False
        info.assessments.append(made)
        self._log.touch(assessment.trace_id)
        return made

    def get_assessment(self, trace_id: str, assessment_id: str) -> Any:
        for assessment in self._raw(trace_id).info.assessments:
            if assessment.assessment_id == assessment_id:
                return assessment
        raise MlflowException(
            f"Assessment with ID {assessment_id} not found for trace {trace_id}", RESOURCE_DOES_NOT_EXIST
        )

    def update_assessment(
        self,
        trace_id: str,
        assessment_id: str,
        name: str | None = None,
        expectation: Any = None,
        feedback: Any = None,
        rationale: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> Any:
        assessment = self.get_assessment(trace_id, assessment_id)
        news = {"name": name, "expectation": expectation, "feedback": feedback, "rationale": rationale}
        for field, value in news.items():
            if value is not None:
                setattr(assessment, field, value)
        if metadata is not None:
            assessment.metadata = {**(assessment.metadata or {}), **metadata}
        assessment.last_update_time_ms = int(time.time() * 1000)
        self._log.touch(trace_id)
        return assessment

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        info = self._raw(trace_id).info
        info.assessments = [each for each in info.assessments if each.assessment_id != assessment_id]
        self._log.touch(trace_id)

    # -- everything else

    @property
    def directory(self) -> str:
        """The temporary directory for what is not about traces, made when first asked for."""
        with self._lock:
            if self._directory is None:
                self._directory = TemporaryDirectory(prefix="pytest-mlflow-traces-")
            return self._directory.name

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
                self._files = with_file_stores_allowed(FileStore, f"{self.directory}/mlruns")
                for experiment in self._experiments.values():
                    self._mirror(experiment)
            return self._files

    def _mirror(self, experiment: Experiment) -> None:
        if not self._files._has_experiment(experiment.experiment_id):
            self._files._create_experiment_with_id(experiment.name, experiment.experiment_id, None, None)

    def close(self) -> None:
        """Wait for what is still being written, and remove the temporary directory."""
        with self._lock:
            if self._files is not None:
                self._files.shut_down_async_logging()
            if self._directory is not None:
                self._directory.cleanup()


def with_file_stores_allowed(make: Any, *arguments: Any) -> Any:
    """Call a constructor that MLflow 3.13 and later refuse without `MLFLOW_ALLOW_FILE_STORE`."""
    before = os.environ.get("MLFLOW_ALLOW_FILE_STORE")
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    try:
        return make(*arguments)
    finally:
        if before is None:
            del os.environ["MLFLOW_ALLOW_FILE_STORE"]
        else:
            os.environ["MLFLOW_ALLOW_FILE_STORE"] = before


def _served(info: Any) -> Any:
    """Copy the info as a store would return it: tags as text, and a word that the spans are in the store."""
    served = copy.copy(info)
    served.tags = {str(key): str(value) for key, value in info.tags.items()}
    served.tags[TraceTagKey.SPANS_LOCATION] = SpansLocation.TRACKING_STORE.value
    served.trace_metadata = {str(key): str(value) for key, value in info.trace_metadata.items()}
    served.assessments = list(info.assessments)
    return served


def _is_in(info: Any, experiment_ids: list[str] | None) -> bool:
    return not experiment_ids or info.experiment_id is None or info.experiment_id in experiment_ids


def _delegate(name: str) -> Any:
    def call(self: MemoryStore, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.files(), name)(*args, **kwargs)

    call.__name__ = name
    return call


# By name over the whole of AbstractStore: a stub that stayed inherited would raise NotImplementedError in a user's test.
for _name in dir(AbstractStore):
    _inherited = getattr(AbstractStore, _name)
    if callable(_inherited) and not _name.startswith("__") and _name not in vars(MemoryStore):
        setattr(MemoryStore, _name, _delegate(_name))
