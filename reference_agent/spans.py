"""Spans that tell the truth about how they ended."""

from __future__ import annotations

import functools
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import mlflow
from mlflow.entities import LiveSpan, SpanEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = ParamSpec("P")
R = TypeVar("R")

ERROR_MESSAGE_LENGTH = 200


def describe_error(error: BaseException) -> dict[str, str]:
    """Name an error the way tags and span attributes do.

    >>> describe_error(ValueError("no such space"))
    {'error_type': 'ValueError', 'error_message': 'no such space'}
    """
    name = type(error).__name__
    return {"error_type": name, "error_message": (str(error) or name)[:ERROR_MESSAGE_LENGTH]}


@contextmanager
def traced(name: str, span_type: str, inputs: Mapping[str, Any]) -> Iterator[LiveSpan]:
    """Open a child of the current span, and make it an ERROR span if anything but its end ends it."""
    with mlflow.start_span(name=name, span_type=span_type) as span:
        span.set_inputs(dict(inputs))
        with errors_marked_on(span):
            yield span


@contextmanager
def errors_marked_on(span: LiveSpan) -> Iterator[None]:
    """Put `error_type` and `error_message` on a span that an error passes through."""
    try:
        yield
    except GeneratorExit:
        # The consumer of a stream has read enough, which is not an error.
        span.set_attribute("aborted", True)
        raise
    except BaseException as error:
        span.set_attributes(describe_error(error))
        if not isinstance(error, Exception):
            # MLflow ends the span of a cancelled task, or of a program that was interrupted, as OK.
            span.add_event(SpanEvent.from_exception(error))  # type: ignore[arg-type]  # it only reads what every one has
            span.set_status("ERROR")
        raise


def errors_marked(function: Callable[P, R]) -> Callable[P, R]:
    """Do the same for a function under `@mlflow.trace`."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        span = mlflow.get_current_active_span()
        if span is None:
            return function(*args, **kwargs)
        with errors_marked_on(span):
            return function(*args, **kwargs)

    return wrapper


def trace_langchain() -> None:
    """Let every LangChain chain and model of the process trace itself; calling it again changes nothing.

    `langchain-core` is enough from MLflow 3.16 on; before, MLflow wants the `langchain` package as well.
    """
    # Inline, or the spans that a chain opens under `ainvoke` would not find their parent.
    _autolog()(run_tracer_inline=True)


@functools.cache
def _autolog() -> Callable[..., None]:
    with warnings.catch_warnings():
        # Imported for the first time, MLflow warns of its own type hints, which ends a program that runs with -W error.
        warnings.simplefilter("ignore", UserWarning)
        from mlflow.langchain import autolog
    enable: Callable[..., None] = autolog
    return enable


def note(span: LiveSpan, event: str, **attributes: str | float | bool) -> None:
    """Leave an event on a span, for what went wrong and was dealt with."""
    # MLflow declares `from_proto` abstract and never defines it.
    span.add_event(SpanEvent(name=event, attributes=dict(attributes)))  # type: ignore[abstract]
