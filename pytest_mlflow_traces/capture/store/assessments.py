"""Feedback, expectations and issues that code under test logs for captured traces."""

from __future__ import annotations

import copy
import time
import uuid
from typing import TYPE_CHECKING, Any

from mlflow.entities import Expectation, Feedback
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

if TYPE_CHECKING:
    from collections.abc import Callable


class AssessmentStore:
    """The part of a tracking store that is about assessments; they live in the info of their trace."""

    # what the whole store has
    known_info: Callable[[str], Any]
    touch: Callable[[str], None]

    def create_assessment(self, assessment: Any) -> Any:
        made = copy.copy(assessment)
        now = int(time.time() * 1000)
        made.assessment_id = made.assessment_id or f"a-{uuid.uuid4().hex}"
        made.create_time_ms = made.create_time_ms or now
        made.last_update_time_ms = made.last_update_time_ms or now
        made.valid = True if made.valid is None else made.valid
        info = self.known_info(made.trace_id)
        if made.overrides is not None:
            self._assessment(made.trace_id, made.overrides).valid = False
        info.assessments.append(made)
        self.touch(made.trace_id)
        return copy.copy(made)

    def get_assessment(self, trace_id: str, assessment_id: str) -> Any:
        return copy.copy(self._assessment(trace_id, assessment_id))

    def _assessment(self, trace_id: str, assessment_id: str) -> Any:
        for assessment in self.known_info(trace_id).assessments:
            if assessment.assessment_id == assessment_id:
                return assessment
        raise MlflowException(
            f"Assessment with ID '{assessment_id}' not found for trace '{trace_id}'", RESOURCE_DOES_NOT_EXIST
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
        assessment = self._assessment(trace_id, assessment_id)
        if expectation is not None and feedback is not None:
            raise MlflowException.invalid_parameter_value(
                "Cannot specify both `expectation` and `feedback` parameters."
            )
        if expectation is not None and not isinstance(assessment, Expectation):
            raise MlflowException.invalid_parameter_value("Cannot update expectation value on a Feedback assessment.")
        if feedback is not None and not isinstance(assessment, Feedback):
            raise MlflowException.invalid_parameter_value("Cannot update feedback value on an Expectation assessment.")
        news = {"name": name, "expectation": expectation, "feedback": feedback, "rationale": rationale}
        for field, value in news.items():
            if value is not None:
                setattr(assessment, field, value)
        if metadata is not None:
            assessment.metadata = {**(assessment.metadata or {}), **metadata}
        assessment.last_update_time_ms = int(time.time() * 1000)
        self.touch(trace_id)
        return copy.copy(assessment)

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        info = self.known_info(trace_id)
        gone = [each for each in info.assessments if each.assessment_id == assessment_id]
        if not gone:
            return  # as MLflow's store has it
        info.assessments = [each for each in info.assessments if each.assessment_id != assessment_id]
        for each in info.assessments:
            if each.assessment_id == gone[0].overrides:
                each.valid = True
        self.touch(trace_id)
