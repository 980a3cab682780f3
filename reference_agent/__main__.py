"""Ask the Health Monitor a question: `python -m reference_agent "Why did costs spike?"`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from reference_agent.stubs.scenarios import SCENARIOS, orchestrator_for
from reference_agent.stubs.tracking import temporary_tracking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow.entities import Span, Trace

_EPILOG = "\b\nFaults:\n" + "\n".join(f"  {name:<17} {scenario.summary}" for name, scenario in SCENARIOS.items())


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.argument("query", default="Why did costs spike?")
@click.option("--session", metavar="ID", help="Ask within a session of this name.")
@click.option("--user", metavar="ID", default="demo", show_default=True, help="Who asks.")
@click.option(
    "--fault", metavar="NAME", type=click.Choice(sorted(SCENARIOS)), help="Let something go wrong; see the list below."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def main(query: str, session: str | None, user: str, fault: str | None, as_json: bool) -> None:
    """Ask the Health Monitor QUERY, and see the answer, the spans it took, and the tags of its trace.

    The chat model and Genie are stubs: nothing leaves this machine and nothing is kept. The exit status is 1 if the
    request failed.
    """
    with temporary_tracking():
        answer, error, trace = _ask(query, user, session, fault)
    if as_json:
        click.echo(json.dumps(_as_json(answer, error, trace), indent=2, default=str))
    else:
        click.echo(answer["content"] if answer is not None else f"{type(error).__name__}: {error}")
        click.echo()
        click.echo("\n".join(_tree(trace)))
        click.echo()
        click.echo("\n".join(f"{name:<20}{value}" for name, value in _tags(trace).items()))
    sys.exit(0 if error is None else 1)


def _ask(
    query: str, user: str, session: str | None, fault: str | None
) -> tuple[dict[str, Any] | None, Exception | None, Trace]:
    import mlflow

    orchestrator = orchestrator_for(SCENARIOS[fault] if fault is not None else None)
    answer, error = None, None
    try:
        answer = dict(orchestrator.invoke(query, user, session))
    except Exception as failure:
        error = failure
    trace_id = mlflow.get_last_active_trace_id(thread_local=True)
    trace = mlflow.get_trace(trace_id) if trace_id is not None else None
    if trace is None:
        raise click.ClickException("the request left no trace; is tracing disabled?")
    return answer, error, trace


def _tags(trace: Trace) -> dict[str, str]:
    return {name: value for name, value in sorted(trace.info.tags.items()) if not name.startswith("mlflow.")}


def _children(trace: Trace) -> dict[str | None, list[Span]]:
    children: dict[str | None, list[Span]] = {}
    for span in trace.data.spans:
        children.setdefault(span.parent_id, []).append(span)
    return children


def _tree(trace: Trace) -> list[str]:
    children = _children(trace)
    lines: list[str] = []

    def add(spans: Sequence[Span], indent: str) -> None:
        for number, span in enumerate(spans, 1):
            last = number == len(spans)
            lines.append(f"{indent}{'└─ ' if last else '├─ '}{_line(span)}")
            add(children.get(span.span_id, []), indent + ("   " if last else "│  "))

    for root in children.get(None, []):
        lines.append(_line(root))
        add(children.get(root.span_id, []), "")
    return lines


def _line(span: Span) -> str:
    error = span.attributes.get("error_type")
    failed = f"  {span.status.status_code.value} {error or ''}".rstrip() if span.status.status_code != "OK" else ""
    return f"{span.name}  {span.span_type}  {_duration_ms(span):.0f} ms{failed}"


def _duration_ms(span: Span) -> float:
    return ((span.end_time_ns or span.start_time_ns) - span.start_time_ns) / 1e6


def _as_json(answer: dict[str, Any] | None, error: Exception | None, trace: Trace) -> dict[str, Any]:
    children = _children(trace)

    def node(span: Span) -> dict[str, Any]:
        return {
            "name": span.name,
            "type": span.span_type,
            "status": span.status.status_code.value,
            "duration_ms": _duration_ms(span),
            "children": [node(child) for child in children.get(span.span_id, [])],
        }

    return {
        "answer": answer,
        "error": None if error is None else {"type": type(error).__name__, "message": str(error)},
        "trace": {
            "id": trace.info.trace_id,
            "state": str(trace.info.state.value),
            "tags": _tags(trace),
            "spans": [node(root) for root in children.get(None, [])],
        },
    }


if __name__ == "__main__":
    main(prog_name="python -m reference_agent")
