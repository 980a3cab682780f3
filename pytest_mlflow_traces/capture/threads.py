"""Whose a thread is: of the capture that was current where it was started. Likewise for work that a pool is given.

A context variable does not tell, since a thread begins with an empty context. So the starter is asked. A worker of a
pool is nobody's: it is meant to outlive whoever came first, and each piece of its work is of whoever gave it.
"""

from __future__ import annotations

import functools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

START, SUBMIT = threading.Thread.start, ThreadPoolExecutor.submit  # imported before anything stands in their place
# where the workers of pools come from; those of anyio, which serve web frameworks, get a context with each work
_POOLS = frozenset({"concurrent.futures.thread", "multiprocessing.pool", "anyio._backends._asyncio"})


class Threads:
    """Whose the threads are that start, and the work that thread pools are given."""

    def __init__(self) -> None:
        self._owners: WeakKeyDictionary[threading.Thread, Any] = WeakKeyDictionary()
        self._ask: Callable[[], Any] | None = None
        self._hooks: dict[str, tuple[Any, Any]] = {}  # what stands in the place of what
        self._places = ("start", threading.Thread, self._start), ("submit", ThreadPoolExecutor, self._submit)

    def owner(self) -> Any:
        """Whose the current thread is, or `None`."""
        return self._owners.get(threading.current_thread())

    def note(self, thread: threading.Thread) -> None:
        """Note whose a thread is that is about to be started here."""
        owner = self._ask() if self._ask is not None else None
        begun = getattr(thread, "_target", None) or type(thread)
        if owner is not None and getattr(begun, "__module__", None) not in _POOLS:
            self._owners[thread] = owner

    def noted(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the work, given to a pool here, for whose it is."""
        owner = self._ask() if self._ask is not None else None
        return work if owner is None or isinstance(work, _Owned) else _Owned(work, owner, self._owners)

    def watch(self, ask: Callable[[], Any]) -> None:
        """Note from now on, asking for each thread and work whose it is."""
        self._ask = ask
        for name, holder, make in self._places:
            now = vars(holder)[name]
            if now is not self._hooks.get(name, (None, None))[0]:
                self._hooks[name] = make(now), now
                setattr(holder, name, self._hooks[name][0])

    def unwatch(self) -> None:
        """Put back what was there, save where somebody (an instrumentation) has wrapped it since: it does no harm."""
        self._ask = None
        for name, holder, _ in self._places:
            hook, before = self._hooks[name]
            if vars(holder)[name] is hook:
                setattr(holder, name, before)

    def _start(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def start(thread: threading.Thread, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            self.note(thread)
            return before(thread, *args, **kwargs)

        return start

    def _submit(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def submit(pool: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            interpreters = sys.modules.get("concurrent.futures.interpreter")  # since Python 3.14; they pickle the work
            if interpreters is None or not isinstance(pool, interpreters.InterpreterPoolExecutor):
                work = self.noted(work)
            return before(pool, work, *args, **kwargs)

        return submit


class _Owned:
    """Work whose owner is known; it looks like the function that it is."""

    def __init__(self, work: Callable[..., Any], owner: Any, owners: WeakKeyDictionary[threading.Thread, Any]) -> None:
        self._work, self._owner, self._owners = work, owner, owners

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        thread = threading.current_thread()
        before = self._owners.get(thread)
        self._owners[thread] = self._owner
        try:
            return self._work(*args, **kwargs)
        finally:
            if before is None:
                self._owners.pop(thread, None)
            else:
                self._owners[thread] = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)

    def __repr__(self) -> str:
        return repr(self._work)


threads = Threads()
