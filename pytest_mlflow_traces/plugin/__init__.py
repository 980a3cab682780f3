"""The door to pytest: options, fixtures, and what calls for the rest. Light until a test asks for a trace.

A plugin is loaded by every pytest run of the environment, used or not. So nothing here imports MLflow, OpenTelemetry or
pydantic, and the hooks that surround tests stand in `hooks`, which is loaded when some test will trace.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_mlflow_traces.virtual_time.originals  # noqa: F401  # before a test may put stubs in their places
from pytest_mlflow_traces.mlflow_import import quieten
from pytest_mlflow_traces.plugin.stash import COVERAGE, COVERAGE_FLOOR, EXPORT, MUTATE, MUTATE_FLOOR, MUTATE_JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from pytest_mlflow_traces.capture.traces import CapturedTraces
    from pytest_mlflow_traces.clock import VirtualTime
    from pytest_mlflow_traces.plugin.baselines.baseline import TraceBaseline

_running: set[pytest.Config] = set()  # pytest runs inside of pytest, too
_noting: set[pytest.Config] = set()
MARKER = "mlflow_traces"
SHOW = ("failed", "all", "none")
HOOKS = "mlflow-traces-hooks"
FOLDER = "__traces__"  # of baselines, beside the modules of their tests
_FOR_ALL = (  # what asks something of tests that trace nothing, too
    *("--mlflow-traces-save", "--mlflow-traces-summary", "--mlflow-traces-html", EXPORT),
    *(MUTATE, MUTATE_FLOOR, MUTATE_JSON, COVERAGE, COVERAGE_FLOOR),
)
NODES = "pytest_mlflow_traces.core.patterns.nodes"  # loaded by whoever speaks of patterns
INSTALL = "pytest_mlflow_traces.capture.install"  # loaded by the first capture, as the next
UNMADE_SPANS = "pytest_mlflow_traces.capture.unmade_spans"
SIMULATION = "pytest_mlflow_traces.virtual_time.simulation"
TREE = "pytest_mlflow_traces.core.trace"  # loaded by whoever has a trace

quieten()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mlflow-traces", "traces of AI agents (pytest-mlflow-traces)")
    group.addoption(
        "--mlflow-traces-show",
        type=_show,
        default="failed",
        metavar="{failed,all,none}",
        help="which tests print the span trees they made: failed (default), all, or none",
    )
    group.addoption(
        "--mlflow-traces-save",
        type=_path,
        metavar="PATH",
        help="write every captured trace to PATH, as JSON Lines of MLflow's Trace.to_dict()",
    )
    group.addoption(
        "--mlflow-traces-summary",
        type=_path,
        metavar="PATH",
        help="write what the traces of the run came to as Markdown to PATH; $GITHUB_STEP_SUMMARY gets it by itself",
    )
    group.addoption(
        EXPORT,
        type=_server,
        metavar="URI[#EXPERIMENT]",
        help="after the run, send every captured trace to the tracking server at URI, with its test, its outcome and"
        " what was found; without it, nothing is sent anywhere",
    )
    group.addoption(
        "--mlflow-traces-html",
        type=_path,
        metavar="PATH",
        help="write one page of HTML to PATH: every trace of the run, and what each failed test expected of it; needs"
        " pytest-mlflow-traces[html]",
    )
    group.addoption(
        COVERAGE,
        type=_file_to_write,
        nargs="?",
        const=True,
        metavar="PATH",
        help="tell what of the patterns, contracts and baselines no test exercised, and which spans nothing looks at;"
        " with =PATH, also as JSON",
    )
    group.addoption(
        COVERAGE_FLOOR,
        type=_percent,
        metavar="PERCENT",
        help=f"fail the run where fewer of the branches that {COVERAGE} tells of were taken",
    )
    group.addoption(
        "--mlflow-traces-update",
        action="store_const",
        const="write",
        dest="mlflow_traces_update",
        help="write the baselines of tests that pass: what no longer holds, and no more; on a run of everything, remove"
        " those that no test uses",
    )
    group.addoption(
        # an option by itself, since the value of one that may have none would be the next argument
        "--mlflow-traces-update=loosen",
        action="store_const",
        const="loosen",
        dest="mlflow_traces_update",
        help="loosen the baselines of tests that pass by as little as lets them hold of this run, too; what they"
        " accepted they accept still, and what they demand no more is printed",
    )
    group.addoption(
        MUTATE,
        type=_classes,
        nargs="?",
        const="shape,status",
        metavar="CLASSES",
        help="when a test has passed, edit its traces once in every way, ask again what it asked, and say what nothing"
        " notices; CLASSES are some of shape, status (these two by default), values, tags, attributes, time, cost",
    )
    group.addoption(
        MUTATE_FLOOR,
        type=_percent,
        metavar="PERCENT",
        help="fail the run where fewer of the mutants are noticed",
    )
    group.addoption(
        MUTATE_JSON,
        type=_path,
        metavar="PATH",
        help="write what came of the mutants to PATH, as one JSON object",
    )
    parser.addini(
        "mlflow_traces_strict",
        "fail a test that leaves spans unfinished, loses some, makes a malformed trace or sets a tag that servers do"
        " not keep, instead of warning; fail a run in which a contract applied to no trace",
        type="bool",
        default=False,
    )
    parser.addini(
        "mlflow_traces_contract",
        "contracts that hold for every captured trace of the suite, each as module:NAME or as a contract"
        " file, whose path is relative to the rootdir",
        type="linelist",
        default=[],
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    _note_places(early_config, early_config.known_args_namespace)  # before a conftest makes its patterns


def _note_places(config: pytest.Config, options: argparse.Namespace) -> None:
    """Have patterns know where they are written, once, where the run is asked which of them it exercises."""
    if config not in _noting and options.mlflow_traces_coverage is not None:
        from pytest_mlflow_traces.core.patterns.written import NOTING

        _noting.add(config)
        NOTING.wanted += 1


def pytest_configure(config: pytest.Config) -> None:
    _note_places(config, config.option)
    _running.add(config)
    config.addinivalue_line(
        "markers",
        f"{MARKER}(expect=..., count=..., repeat=..., at_least=..., confidence=...): capture the MLflow traces of the"
        " test, and check each of them (expect) and their number (count: a number or (min, max); without it, at least"
        " one); run the test up to `repeat` times, until it is sure whether it holds at the rate `at_least`",
    )
    asked = config.getini("mlflow_traces_contract"), *map(config.getoption, _FOR_ALL)
    # on a controller of pytest-xdist no test is collected, so it cannot know
    if any(asked) or hasattr(config, "workerinput") or config.getoption("numprocesses", None):
        _hooks(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if NODES in sys.modules or config.pluginmanager.has_plugin(HOOKS) or any(map(_traces, items)):
        _hooks(config).prepare(config, items)


def _traces(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return MARKER in names or "trace_baseline" in names or item.get_closest_marker(MARKER) is not None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.name != FOLDER or not collection_path.is_dir():
        return None
    _hooks(config)
    from pytest_mlflow_traces.plugin.unused_baselines import watch

    watch(config, collection_path)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.pluginmanager.has_plugin(HOOKS) or item.get_closest_marker(MARKER) is not None:
        _hooks(item.config).begin(item)


# here and not with the other hooks: they may be loaded while the test runs, which is too late for a hook around it
@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        result = yield
    except BaseException as error:
        simulation = sys.modules[SIMULATION].Simulation.active if SIMULATION in sys.modules else None
        if simulation is not None:  # that of a fixture, which the error does not pass through
            simulation.explain(error)
        raise
    if item.config.pluginmanager.has_plugin(HOOKS) or item.get_closest_marker(MARKER) is not None:
        _hooks(item.config).finish(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    try:
        return (yield)
    finally:
        if INSTALL in sys.modules:
            sys.modules[INSTALL].restore_variables()
            _warn_of_what_was_left_behind(item.warn)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if INSTALL in sys.modules:
        _warn_of_what_was_left_behind(lambda warning: session.config.issue_config_time_warning(warning, 2))


def _warn_of_what_was_left_behind(warn: Callable[[Warning], None]) -> None:
    from pytest_mlflow_traces.warnings import MlflowTracesWarning

    for text in sys.modules[UNMADE_SPANS].left_behind():
        warn(MlflowTracesWarning(text))


def pytest_unconfigure(config: pytest.Config) -> None:
    if config in _noting:
        from pytest_mlflow_traces.core.patterns.written import NOTING

        _noting.discard(config)
        NOTING.wanted -= 1
    _running.discard(config)
    if not _running and INSTALL in sys.modules:
        sys.modules[UNMADE_SPANS].end_run()


def _hooks(config: pytest.Config) -> Any:
    """Load the hooks that surround tests, once."""
    from pytest_mlflow_traces.plugin import hooks

    if not config.pluginmanager.has_plugin(HOOKS):
        config.pluginmanager.register(hooks, HOOKS)
    return hooks


@pytest.fixture
def mlflow_traces(request: pytest.FixtureRequest) -> Iterator[CapturedTraces]:
    """Capture the MLflow traces of this test in memory; nothing leaves the process.

    >>> import mlflow
    >>> from pytest_mlflow_traces import span
    >>> def test_the_agent_plans(mlflow_traces):
    ...     with mlflow.start_span("agent"), mlflow.start_span("plan"):
    ...         pass
    ...
    ...     assert mlflow_traces.one() == span("agent")[span("plan")]
    """
    hooks = _hooks(request.config)  # a test may ask for the fixture by name alone, at run time
    from pytest_mlflow_traces.capture import capture_traces

    with capture_traces() as traces:
        hooks.note_capture(request.node, traces)
        yield traces
    hooks.finish_late(request.node)


@pytest.fixture
def trace_baseline(request: pytest.FixtureRequest) -> TraceBaseline:
    """Compare a trace with the one that was accepted before.

    What was accepted is in a file beside the test, under `__traces__/`; `--mlflow-traces-update` writes it.

    >>> def test_the_agent_takes_the_way_that_was_accepted(mlflow_traces, trace_baseline):
    ...     answer("Why did costs spike?")
    ...
    ...     assert mlflow_traces.one() == trace_baseline
    """
    _hooks(request.config)
    from pytest_mlflow_traces.plugin.report import baseline_of

    return baseline_of(request.node)


@pytest.fixture
def virtual_time() -> Iterator[VirtualTime]:
    """Have time stand still in this test, and pass only where something waits for it; waiting takes no real time.

    >>> import time
    >>> def test_the_agent_gives_up_after_half_a_minute(virtual_time):
    ...     time.sleep(30)
    ...
    ...     assert virtual_time.elapsed_ms == 30_000
    """
    from pytest_mlflow_traces.clock import virtual_time as entered

    with entered() as clock:
        yield clock


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    if TREE not in sys.modules:
        return None
    from pytest_mlflow_traces.plugin.assertrepr import explained

    comparison = explained(config, op, left, right)
    return None if comparison is None else comparison.lines


def _path(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("the path is empty, as where a variable of a CI is not set")
    return value


def _file_to_write(value: str) -> str:
    if Path(_path(value)).is_dir() or value.endswith(".py") or "::" in value:
        raise argparse.ArgumentTypeError(f"{value!r} is no file to write; paths go before {COVERAGE}")
    return value


def _server(value: str) -> str:
    uri = _path(value).partition("#")[0]
    if "://" not in uri and uri.partition(":")[0] != "databricks":  # MLflow takes anything else for a folder to make
        raise argparse.ArgumentTypeError(f"{uri!r} is no tracking URI, such as http://localhost:5000 or databricks")
    return value


def _classes(value: str) -> tuple[str, ...]:
    from pytest_mlflow_traces.core.adequacy.mutants import checked_classes

    try:
        return checked_classes(value)
    except ValueError as error:
        cure = f"; paths go before {MUTATE}" if "/" in value or value.endswith(".py") else ""
        raise argparse.ArgumentTypeError(f"{error}{cure}") from None


def _percent(value: str) -> float:
    try:
        floor = float(value)
    except ValueError:
        floor = -1.0
    if not 0 <= floor <= 100:
        raise argparse.ArgumentTypeError(f"{value!r} is no percentage from 0 to 100")
    return floor


def _show(value: str) -> str:
    if value not in SHOW:
        from pytest_mlflow_traces.core.text.suggestions import listed, nearest

        raise argparse.ArgumentTypeError(f"unknown value {value!r} (legal: {listed(SHOW)}){nearest(value, SHOW)}")
    return value
