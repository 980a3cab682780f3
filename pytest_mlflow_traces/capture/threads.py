"""Whose a thread is: of the capture that was current where it was started. Likewise for work that a pool is given.

A context variable does not tell, since a thread begins with an empty context. So the starter is asked. A worker of a
pool is nobody's: it is meant to outlive whoever came first, and each piece of its work is of whoever gave it.

Both are noted below `Thread.start` and `ThreadPoolExecutor.submit`, which others wrap and unwrap as they please.
"""

from __future__ import annotations

import threading
from concurrent.futures import thread as pools
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pytest_mlflow_traces.capture.replacements import Replacements
from pytest_mlflow_traces.capture.strands import standing, strands

if TYPE_CHECKING:
    from collections.abc import Callable

# what `Thread.start` calls to begin a thread, with its bound `_bootstrap`; the first since Python 3.13
BEGIN = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
# where the workers of pools come from; those of anyio, which serve web frameworks, get a context with each work
_POOLS = frozenset({"concurrent.futures.thread", "multiprocessing.pool", "anyio._backends._asyncio"})


class Threads:
    """Whose the threads are that start, and the work that thread pools are given."""

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[threading.Thread, Any] = WeakKeyDictionary()
        self._ask: Callable[[], Any] | None = None
        self._replacements = Replacements()

    def owner(self) -> Any:
        """Whose the current thread is, or `None`."""
        return self._owners.get(threading.current_thread())

    def watch(self, ask: Callable[[], Any]) -> None:
        """Note from now on, asking for each thread and work whose it is."""
        self._ask = ask
        self._replacements.put(threading, BEGIN, self._begin)
        self._replacements.put(pools._WorkItem, "__init__", self._given)

    def unwatch(self) -> None:
        """Note nothing any more."""
        self._ask = None
        self._replacements.take_out()

    def _begin(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def begin(function: Any, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            thread = begun_by(function)
            owner = self._ask() if self._ask is not None and thread is not None else None
            if self._ask is not None and thread is not None:
                strands.begin(thread)
            if owner is not None and thread is not None:
                target = getattr(thread, "_target", None) or type(thread)
                if getattr(target, "__module__", None) not in _POOLS:
                    self._owners[thread] = owner
            return before(function, *args, **kwargs)

        return begin

    def _given(self, before: Callable[..., Any]) -> Callable[..., Any]:
        def given(item: Any, *args: Any, **kwargs: Any) -> None:
            before(item, *args, **kwargs)
            if self._ask is not None:
                run_by(item, partial(self._owned, self._ask(), strands.made()))

        return given

    def _owned(self, owner: Any, strand: Any, run: Callable[..., None], *args: Any) -> None:
        __tracebackhide__ = True
        thread = threading.current_thread()
        with standing(self._owners, thread, owner), standing(strands.of_threads, thread, strand):
            run(*args)


def begun_by(function: Any) -> threading.Thread | None:
    """Return the thread that begins with this function."""
    thread = getattr(function, "__self__", None)
    return thread if isinstance(thread, threading.Thread) else None


def run_by(item: Any, how: Callable[..., None]) -> None:
    """Have a pool's work item run, which it does once, by a function that is given its `run`."""
    before, run = vars(item).get("run"), item.run

    def run_once(*args: Any) -> None:
        __tracebackhide__ = True
        if before is None:
            del item.run  # a cycle
        else:
            item.run = before
        how(run, *args)

    item.run = run_once


threads = Threads()
