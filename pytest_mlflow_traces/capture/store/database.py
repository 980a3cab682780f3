"""MLflow's own SQL store, on SQLite in memory, for the searches that only a database answers as production does.

Nothing of it is imported before the first of them, which takes about a second.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import uuid
import warnings
from threading import RLock
from typing import TYPE_CHECKING, Any

from mlflow.entities.trace_location import TraceLocation
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchTraceUtils

from pytest_mlflow_traces.capture.mlflow_internals import TraceTagKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_logger = logging.getLogger(__name__)
_URI = "sqlite:///captured"  # for MLflow, whose stores look for their engine by it; there is no such file
_START = "pytest_mlflow_traces.start"
_LOCK = RLock()  # also while it is made: what silences warnings is of the whole process
_NOWHERE = "-1"  # the experiment of traces that are in none


@functools.cache
def _database() -> Database:
    return Database()


def database() -> Database:
    """Return the database of this process."""
    try:
        with _LOCK:
            return _database()
    except ImportError as error:
        raise MlflowException(
            "This search needs the full `mlflow` package: with `mlflow-tracing` alone a capture answers filters that"
            " compare tags, metadata, ids and status by `=` or `!=`, and numbers with timestamp and execution_time,"
            f" in the order of timestamp ({error})"
        ) from error


class Database:
    """A SQL store that holds the traces of the last search; the next one changes what is different."""

    def __init__(self) -> None:
        self._held: dict[int, str] = {}  # by the number of a trace's state, its id
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._store = _empty_store()

    def search(
        self,
        states: Sequence[tuple[int, int, Any]],
        linked: Mapping[str, AbstractSet[str]],
        *,
        experiment_ids: list[str] | None,
        locations: list[str] | None,
        order_by: list[str] | None,
        **asked: Any,
    ) -> tuple[list[Any], str | None]:
        """Return those of the traces that MLflow finds, and the token of the next page."""
        places = locations or experiment_ids
        if places and not (locations and experiment_ids):
            experiment_ids, locations = None, _held_places(places, {_place_of(raw.info) for _, _, raw in states})
        asked.update(experiment_ids=experiment_ids, locations=locations)
        with _LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._hold({state: (start, raw) for state, start, raw in states}, linked)
            try:
                infos, token = self._store.search_traces(order_by=_then_by_start(order_by), **asked)
            except MlflowException:  # MLflow's messages have the order in them, some the whole statement
                infos, token = self._store.search_traces(order_by=order_by, **asked)
        by_id = {raw.info.trace_id: raw for _, _, raw in states}
        return [by_id[info.trace_id] for info in infos], token

    def _hold(self, traces: Mapping[int, tuple[int, Any]], linked: Mapping[str, AbstractSet[str]]) -> None:
        with self._store.engine.begin() as connection:
            for state in self._held.keys() - traces.keys():
                gone = (self._held.pop(state),)
                connection.exec_driver_sql("DELETE FROM trace_info WHERE request_id = ?", gone)
                connection.exec_driver_sql("DELETE FROM entity_associations WHERE source_id = ?", gone)
        for state in traces.keys() - self._held.keys():
            start, raw = traces[state]
            self._put(raw, f"{start:020}", linked)
            self._held[state] = raw.info.trace_id

    def _put(self, raw: Any, start: str, linked: Mapping[str, AbstractSet[str]]) -> None:
        info = copy.copy(raw.info)
        info.trace_location = TraceLocation.from_experiment_id(_place_of(info))
        info.tags, info.trace_metadata = {**as_text(info.tags), _START: start}, as_text(info.trace_metadata)
        with self._store.engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT OR IGNORE INTO experiments (experiment_id, name, artifact_location, lifecycle_stage)"
                " VALUES (?, ?, ?, 'active')",
                (int(info.experiment_id), info.experiment_id, f"memory:///{info.experiment_id}"),
            )
            for kind, other in _linked_to(info, linked):
                connection.exec_driver_sql(
                    "INSERT OR IGNORE INTO entity_associations"
                    " (association_id, source_type, source_id, destination_type, destination_id)"
                    " VALUES (?, 'trace', ?, ?, ?)",
                    (uuid.uuid4().hex, info.trace_id, kind, other),
                )
        _export(self._store.log_spans, info.experiment_id, raw.data.spans)
        _export(self._store.start_trace, info)  # afterwards, as MLflow does: it has the last word


def _export(write: Callable[..., Any], *what: Any) -> None:
    """Go on where the store refuses something (half a character, odd token usage), as MLflow's exporter does."""
    try:
        write(*what)
    except Exception as error:
        _logger.warning("MLflow's SQL store does not take all of a trace: %s", error)


def _empty_store() -> Any:
    import sqlalchemy
    from mlflow.store.db import utils
    from mlflow.store.db.base_sql_model import Base
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    # one connection for all, with the functions that MLflow gives it: another would be a database of its own
    engine = utils.create_sqlalchemy_engine("sqlite:///file::memory:?uri=true&check_same_thread=false")
    only = engine.raw_connection()
    engine.pool = sqlalchemy.pool.StaticPool(lambda: only.driver_connection, dialect=engine.dialect)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:  # MLflow's migrations take seconds; indexes change no answer
            connection.execute(sqlalchemy.schema.CreateTable(table))
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num TEXT)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (utils._get_latest_schema_revision(),))
    SqlAlchemyStore._engine_map[_URI] = engine
    store = SqlAlchemyStore(_URI, "memory:///")
    vars(store)["get_experiment"] = functools.cache(store.get_experiment)  # asked for with each trace; none changes
    return store


def _linked_to(info: Any, linked: Mapping[str, AbstractSet[str]]) -> Iterator[tuple[str, str]]:
    """The runs and the versions of prompts that a trace was linked to."""
    yield from (("run", run) for run, trace_ids in linked.items() if info.trace_id in trace_ids)
    for prompt in json.loads(info.tags.get(TraceTagKey.LINKED_PROMPTS) or "[]"):
        yield "prompt_version", f"{prompt.get('name')}/{prompt.get('version')}"


def _then_by_start(order_by: list[str] | None) -> list[str] | None:
    """Have the order of their start decide between traces of the same millisecond, not that of their random ids."""
    try:
        orders = [SearchTraceUtils.parse_order_by_for_search_traces(each) for each in order_by or ()]
    except Exception:  # what is wrong, the store says
        return order_by
    is_oldest_first = ("attribute", "timestamp_ms", True) in orders
    by_time = [] if is_oldest_first or ("attribute", "timestamp_ms", False) in orders else ["timestamp DESC"]
    return [*(order_by or ()), *by_time, f"tags.`{_START}` {'ASC' if is_oldest_first else 'DESC'}"]


def _place_of(info: Any) -> str:
    """Return the id of the experiment in which the database has a trace."""
    place = info.experiment_id
    return place if place is not None and place.isdecimal() else _NOWHERE


def _held_places(asked: list[Any], held: set[str]) -> list[Any]:
    """Return where to look: tables of Unity Catalog hold all traces, and one that is nowhere is found everywhere."""
    if any("." in str(place) for place in asked):
        return sorted(held | {_NOWHERE})
    return [*asked, *(held & {_NOWHERE})]


def as_text(tags: Mapping[Any, Any]) -> dict[str, str]:
    """Return tags or metadata as a store has them."""
    return {str(key): str(value) for key, value in tags.items()}
