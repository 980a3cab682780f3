"""The experiments of a capture: those that the code under test makes, and those that it was told of before."""

from __future__ import annotations

import os
import time
from threading import RLock
from typing import TYPE_CHECKING, Any

from mlflow.entities import Experiment, ExperimentTag, LifecycleStage, ViewType
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_ALREADY_EXISTS, RESOURCE_DOES_NOT_EXIST
from mlflow.store.entities.paged_list import PagedList
from mlflow.utils.search_utils import SearchExperimentsUtils

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_EXPERIMENT = "0"


class ExperimentStore:
    """The part of a tracking store that is about experiments."""

    _mirror_experiment: Callable[[Experiment], None]  # the whole store makes it known to what else has experiments

    def __init__(self, experiments: Iterable[Experiment] = ()) -> None:
        self._lock = RLock()
        self._experiments = {experiment.experiment_id: experiment for experiment in experiments}
        self._add_experiment(DEFAULT_EXPERIMENT, "Default")

    def _add_experiment(self, experiment_id: str, name: str, tags: Iterable[Any] = ()) -> Experiment:
        known = self._experiments.get(experiment_id)
        if known is not None:
            return known
        now = int(time.time() * 1000)
        experiment = self._experiments[experiment_id] = Experiment(
            experiment_id, name, f"memory:///{experiment_id}", LifecycleStage.ACTIVE, list(tags), now, now
        )
        self._mirror_experiment(experiment)
        return experiment

    def know_experiment(self, experiment_id: str) -> Experiment:
        """Answer for an experiment that the code under test was told of, and that nobody made here."""
        with self._lock:
            return self._add_experiment(str(experiment_id), f"experiment {experiment_id}")

    @property
    def experiments(self) -> list[Experiment]:
        """The experiments there are, for a capture opened inside this one."""
        with self._lock:
            return list(self._experiments.values())

    def get_experiment(self, experiment_id: Any) -> Experiment:
        with self._lock:
            found = self._experiments.get(str(experiment_id))
        if found is None and os.environ.get("MLFLOW_EXPERIMENT_ID") == str(experiment_id):
            return self.know_experiment(experiment_id)  # whoever deploys with this variable knows that it exists
        if found is None:
            raise MlflowException(f"No Experiment with id={experiment_id} exists", RESOURCE_DOES_NOT_EXIST)
        return found

    def get_experiment_by_name(self, experiment_name: str) -> Experiment | None:
        with self._lock:
            return next((each for each in self._experiments.values() if each.name == experiment_name), None)

    def create_experiment(
        self,
        name: Any,
        artifact_location: Any = None,  # noqa: ARG002  # the signature is MLflow's
        tags: Any = None,
    ) -> str:
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
        tags = self.get_experiment(experiment_id)._tags
        if key not in tags:
            raise MlflowException(
                f"No tag with name: {key} in experiment with id {experiment_id}", RESOURCE_DOES_NOT_EXIST
            )
        del tags[key]
