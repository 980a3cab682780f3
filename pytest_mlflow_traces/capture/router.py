"""Which capture a trace belongs to, when it is complete, and what of it MLflow or a late start keeps from it."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_mlflow_traces.capture.context import BELOW, FORGOTTEN, is_stale, left_behind
from pytest_mlflow_traces.capture.enrich import copied, is_kept, merged, popped
from pytest_mlflow_traces.capture.mlflow_internals import InMemoryTraceManager
from pytest_mlflow_traces.capture.threads import threads
from pytest_mlflow_traces.core.trace import Trace

if TYPE_CHECKING:
    from pytest_mlflow_traces.capture.context import Capture, Missed


_TRACE_ID = "mlflow.traceRequestId"
_UNSTARTED = "MLflow could not start the span"


@dataclass(eq=False, slots=True)
class _Route:
    """What is known of one OpenTelemetry trace: its capture, its place in the order of starts, what is still open."""

    capture: Capture | None
    sequence: int
    is_remote: bool
    name: str
    open_spans: int = 0  # a number, not the ids: MLflow gives a span it copies from another trace a new one
    root_ended: bool = False
    is_done: bool = False
    so_far: Any = None  # what has been handed over, or collected of a trace that another process began


class Router:
    """Where each trace goes: its capture is chosen when its root starts, and gets it when its last span has ended."""

    def __init__(self) -> None:
        self.current: ContextVar[Capture | None] = ContextVar("pytest_mlflow_traces_capture", default=None)
        self.stack: list[Capture] = []
        self.is_over = False  # the run of pytest is
        self._routes: dict[int, _Route] = {}
        self._sequence = count()
        self._lock = threading.Lock()

    def capture(self) -> Capture | None:
        """The capture for what starts here: the context's, or the thread's, or else the innermost.

        A thread or task that outlived its capture, and all those around it, has none: what it traces must not reach
        the next test.
        """
        here = self.current.get()
        owner: Capture | None = None if here is not None else threads.owner()
        if here is not None:
            nearest = here.nearest_open()
            if nearest is not None or not is_stale(here):
                return nearest
        elif owner is not None:
            if not owner.is_open:
                return owner.nearest_open()
            # a thread without a context serves what is opened inside of its capture, too
            return next((capture for capture in reversed(self.stack) if capture.is_within(owner)), owner)
        return self.stack[-1] if self.stack else None

    def origin(self) -> Capture | None:
        """The capture whose code runs here, where that and all those around it have closed."""
        here = self.current.get()
        owner = here or threads.owner()
        if owner is None or owner.nearest_open() is not None or (here is not None and is_stale(here)):
            return None
        return owner

    def unstarted(self, name: str, why: Missed) -> None:
        """Note that MLflow made no span."""
        here = self.capture()
        for capture in self.stack:
            if here is not None and here.is_within(capture):
                capture.miss(why, name)

    def giver(self) -> Capture | None:
        """The capture, closed perhaps, whose code runs here; `None` in a thread that was there before all captures.

        What that starts serves whatever is open, as it does itself: a server of the whole session starts a thread for
        each connection, and connections are kept.
        """
        here = self.current.get() or threads.owner()
        if here is not None and (here.nearest_open() is not None or not is_stale(here)):
            return here
        innermost = self.stack[-1] if self.stack else None
        # its own thread, in a context that does not know it: as in the asynchronous tests of a loop that is older
        return innermost if innermost is not None and innermost.place[0] == threading.get_ident() else None

    def started(self, span: Any) -> bool:
        """Note that a span started; return whether it belongs to a trace that is being captured."""
        trace_id = span.context.trace_id
        is_root = span.parent is None
        is_remote = not is_root and span.parent.is_remote
        # MLflow drops a child of a trace that it does not know, or no longer
        is_known = is_root or InMemoryTraceManager.get_instance().get_mlflow_trace_id_from_otel_id(trace_id) is not None
        with self._lock:
            route = self._routes.get(trace_id)
            if route is None:
                if is_remote and not is_known:
                    _refuse(self.capture(), f"{_UNSTARTED} {span.name!r}, since another process began its trace untold")
                if not is_known or not (is_root or is_remote):
                    if not is_remote and _is_mlflow(span):
                        self._note_stray(span)
                    return False
                route = self._routes[trace_id] = _Route(
                    self._capture_of(span), next(self._sequence), is_remote, span.name
                )
            elif is_root:
                _refuse(route.capture, f"{_UNSTARTED} {span.name!r}, since another trace has the same id")
                return False
            if route.is_done:
                is_known = self._reopened(trace_id, route)
            if not is_known:
                return False
            route.open_spans += 1
            return True

    def _reopened(self, trace_id: int, route: _Route) -> bool:
        """Have MLflow know a trace again that was handed over: its store takes spans that start later, too."""
        if route.so_far is None:
            return False
        route.is_done = False
        InMemoryTraceManager.get_instance().register_trace(trace_id, route.so_far.info)
        if route.capture is not None:
            route.capture.log.reopen(route.so_far.info.trace_id)
        return True

    def _capture_of(self, root: Any) -> Capture | None:
        capture = self.capture()
        if capture is None:
            self._note_stray(root)
        return capture

    def _note_stray(self, span: Any) -> None:
        """Note a span that is in no capture, with those in whose time it came: nobody is to take it for not started."""
        here = self.capture()
        origin = self.origin() if here is None else None
        for capture in self.stack:  # also outer ones: an inner one is gone when the test is checked
            if here is None or here.is_within(capture):
                capture.miss(BELOW if origin is None else left_behind(origin, capture.test), span.name)

    def failed(self, span: Any, error: Exception) -> None:
        """Note that MLflow could not start a span; it drops it without a word."""
        with self._lock:
            route = self._routes[span.context.trace_id]
            route.open_spans -= 1
            if span.parent is None:
                del self._routes[span.context.trace_id]
            _refuse(route.capture, f"{_UNSTARTED} {span.name!r}: {type(error).__name__}: {error}")

    def ended(self, span: Any) -> None:
        """Note that a span ended, and hand over its trace if it was the last one."""
        trace_id = span.context.trace_id
        with self._lock:
            route = self._routes.get(trace_id)
            if route is None or route.is_done:
                return
            route.open_spans -= 1
            route.root_ended = route.root_ended or span.parent is None or route.is_remote
            is_complete = route.root_ended and route.open_spans == 0
            if route.is_remote:
                # MLflow keeps the spans of one request only, and others may follow or overlap
                route.so_far = _together(route.so_far, copied(trace_id))
            elif is_complete:
                route.is_done = True
                try:
                    last = popped(trace_id)
                    if last is None:
                        _refuse(route.capture, _forgotten(span.name))
                    route.so_far = _together(route.so_far, last)
                except Exception as error:  # MLflow would log it, and nobody would miss the trace
                    why = f"{type(error).__name__}: {error}"
                    _refuse(route.capture, f"MLflow could not read the trace of {span.name!r}: {why}")
            if is_complete and route.capture is None:
                del self._routes[trace_id]
            elif is_complete and route.so_far is not None and route.capture is not None and route.capture.is_open:
                route.capture.log.put(route.sequence, route.so_far)

    def knows(self, span: Any) -> bool:
        """Return whether a span ended whose start was noted: MLflow has then given it the id of its trace."""
        return span.context.trace_id in self._routes and _TRACE_ID in (span.attributes or ())

    def may_be_parent(self, span: Any) -> bool:
        """Return whether a span that starts now may become a child of `span`, the current one.

        Not one of another capture, of before this one, or of another tracer (pytest-opentelemetry's, around the test):
        it would take the traces of this capture with it.
        """
        context = span.get_span_context()
        if context is None or not context.is_valid or context.is_remote:
            return True
        route = self._routes.get(context.trace_id)
        here = self.current.get()
        if route is not None and route.capture is here and here is not None and here.is_open:
            return True  # what is so nearly always
        here = self.capture()
        if route is not None:
            # without a capture of its own: a thread that was handed the span, but not the context around it
            return route.capture is here or self.current.get() is None
        if self.current.get() is not None and here is not None:
            return False
        # A thread or task in a span whose capture has closed: it keeps its dead parent, since MLflow drops a child of
        # an ended trace. One of MLflow's that is alive is of before all captures.
        is_mlflow = _TRACE_ID in (getattr(span, "attributes", None) or ())
        manager = InMemoryTraceManager.get_instance()
        return is_mlflow and manager.get_mlflow_trace_id_from_otel_id(context.trace_id) is None

    def open_traces(self, capture: Capture) -> list[Trace]:
        """The traces of a capture that have spans open, as they are now."""
        with self._lock:
            mine = [item for item in self._routes.items() if item[1].capture is capture and item[1].open_spans > 0]
        raws = (_together(route.so_far, copied(trace_id)) for trace_id, route in mine)
        # as trees at once: MLflow's entities change when their span ends
        return [Trace.from_mlflow(raw) for raw in raws if raw is not None]

    def refusals(self, capture: Capture) -> list[str]:
        """What MLflow dropped of a capture, with the traces that it has forgotten and whose last span has not ended."""
        with self._lock:
            mine = [(key, route) for key, route in self._routes.items() if route.capture is capture]
            known = list(capture.refusals)
        for trace_id, route in mine:
            if route.is_done or route.is_remote or is_kept(trace_id):
                continue
            if not route.is_done:  # it may have ended since, and been handed over
                known.append(_forgotten(route.name))
        return known

    def forget(self, capture: Capture) -> None:
        """Drop all traces of a capture that closes; what ends later has nowhere to go."""
        capture.left_over = self.open_traces(capture)
        capture.refusals = self.refusals(capture)
        with self._lock:
            dropped = (capture, None) if not self.stack else (capture,)  # None: of threads that outlived theirs
            gone = [trace_id for trace_id, route in self._routes.items() if route.capture in dropped]
            for trace_id in gone:
                del self._routes[trace_id]
        for trace_id in gone:
            InMemoryTraceManager.get_instance().pop_trace(trace_id)


def _is_mlflow(span: Any) -> bool:
    """Return whether MLflow made a span, and not another tracer, as that of pytest-opentelemetry around each test."""
    scope = span.instrumentation_scope
    return scope is not None and scope.name.startswith("mlflow.")


def _together(known: Any, new: Any) -> Any:
    """Return two parts of a trace as one; either may be `None`."""
    return merged(known, new) if known is not None and new is not None else known or new


def _forgotten(name: str) -> str:
    return f"{FORGOTTEN} of {name!r} before its last span ended"


def _refuse(capture: Capture | None, what: str) -> None:
    if capture is not None:
        capture.refusals.append(what)


router = Router()
