"""Virtual time for threads that take turns: a discrete event simulation of everything that waits.

Each thread is a participant. One of them is awake at a time; when it waits, the turn goes to whoever is due, and only
when nobody is due now does time move, to the next alarm at once. So waiting takes no real time, waits that overlap
overlap exactly, and threads take turns in an order that is the same in every run.

What this cannot see is a thread that blocks where it did not say so: in a socket, in a lock from before, in a busy
loop. It stays awake, and so the clock stands still. That is right while it works or waits for the real world. If
another participant was handed its turn meanwhile, it starts after half a second all the same, in parallel; and if
nothing has stirred for `deadlock.PATIENCE_S`, whoever waits for the clock raises an error that says who holds it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from _thread import RLock, get_ident
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from pytest_mlflow_traces.virtual_time import deadlock, originals
from pytest_mlflow_traces.virtual_time.participants import EndedError, Outcome, Participant, Pool, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NS_PER_S = 1_000_000_000


class Simulation:
    """The time, who is awake, and who is to be woken when."""

    active: ClassVar[Simulation | None] = None  # of the whole process, as time.sleep is

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self._nudges = 0
        self.is_closed = False
        self.participants: dict[int, Participant] = {}
        self.threads: WeakKeyDictionary[Any, Participant] = WeakKeyDictionary()
        self.loops: Any = None  # what stands around it: the event loops, and what the user sees of it
        self.owner: Any = None
        self.on_move: Callable[[int], object] = lambda _: None
        self.explain: Callable[[BaseException], object] = lambda _: None
        self._lock = RLock()  # a finalizer that notifies may run in the middle of anything here
        self.news = 0  # how often time moved, a participant came or left, or one ended the wait of another
        self._watch = deadlock.Watch()
        self._orders = itertools.count()
        self._queue: list[tuple[int, int, Wait]] = []
        self._pending: dict[Wait, None] = {}
        self.awake: dict[Participant, None] = {}  # who has the turn, or was started without
        self._pools: WeakKeyDictionary[Any, Pool] = WeakKeyDictionary()
        tell = originals.TELLING
        self.clocks_ns: dict[object, int] = {name: tell[f"{name}_ns"]() for name in ("monotonic", "perf_counter")}
        self.clocks_ns |= {clock: tell["clock_gettime_ns"](clock) for clock in originals.CLOCKS}

    @property
    def monotonic_ns(self) -> int:
        """What `time.monotonic_ns()` shows: it goes on from where it was."""
        return self.clocks_ns["monotonic"] + self.elapsed_ns

    def shown(self, nanoseconds: int) -> float:
        """Return what a clock in seconds shows."""
        seconds = nanoseconds / NS_PER_S
        return seconds + self._nudges * math.ulp(seconds)

    def span_of(self, seconds: float) -> int:
        """Return how many nanoseconds to wait.

        A wait of none moves what clocks in seconds show by their last digits, and no more: code that waits for what is
        left until a deadline (`deadline - time.monotonic()`) else waits for ever for the rounding of that subtraction,
        or for the clock to pass the deadline that it has just reached (`concurrent.futures.as_completed`).
        """
        nanoseconds = round(seconds * NS_PER_S)
        if nanoseconds > 0 or seconds < 0:
            return max(nanoseconds, 0)
        ulp = math.ulp(self.monotonic_ns / NS_PER_S)
        most = int(0.9e-9 / ulp)
        self._nudges += max(1, math.ceil(seconds / ulp))
        if self._nudges <= most:
            return 0
        self._nudges = most
        return int(seconds > 0)

    # Taking and leaving participants

    def join(self, name: str, ident: int) -> Participant:
        """Make a participant of a thread that runs already, and so is awake."""
        participant = Participant(self, name)
        with self._lock:
            self._arrive(participant, ident)
            self.awake[participant] = None
        return participant

    def reserve(self, name: str, pool: Any = None, size: int = 0) -> Participant:
        """Make a participant of a thread about to start, or of work that a pool is about to do: it is due now."""
        with self._lock:
            state = None if pool is None else self._pools.setdefault(pool, Pool(size))
            participant = Participant(self, name, state)
            participant.wait = Wait(participant)
            if state is not None:
                state.work.append(participant)
            if state is None or len(state.work) <= state.size:
                self._enter(participant.wait, self.elapsed_ns)
        return participant

    @contextmanager
    def as_participant(self, participant: Participant) -> Iterator[None]:
        """Take a reserved participant: wait for its turn, and leave it in the end."""
        wait = participant.wait
        with self._lock:
            is_mine = not self.is_closed and not participant.is_over and wait is not None
            if is_mine:
                self._arrive(participant, get_ident())
        if not is_mine or wait is None:
            yield
            return
        try:
            self._await_turn(wait)
            yield
        finally:
            self.leave(participant)

    def leave(self, participant: Participant) -> None:
        """Give up a participant, taken or not, and rouse who waits for that."""
        with self._lock:
            self.news += 1
            participant.is_over = True
            self.participants.pop(participant.ident or 0, None)
            if participant.wait is not None:
                self._retract(participant.wait)
            for wait in participant.joiners:
                self._rouse(wait)
            if participant.pool is not None:
                self._release(participant.pool, participant)
            self.awake.pop(participant, None)
            self._turn()

    # Waiting

    def wait(self, wait: Wait, within_ns: int | None = None, unless: Callable[[], object] = lambda: False) -> Outcome:
        """Give the turn away until the wait is roused or its time has come; not at all if `unless` says so."""
        participant = wait.participant
        participant.raise_error()
        with self._lock:
            if self.is_closed:
                return Outcome.CLOSED
            if wait.is_roused or unless():
                return Outcome.ROUSED
            self._enter(wait, None if within_ns is None else self.elapsed_ns + within_ns)
            self.awake.pop(participant, None)
            self._turn()
        return self._await_turn(wait)

    def sleep(self, participant: Participant, nanoseconds: int) -> None:
        """Wait for time to pass; raise EndedError where virtual time is over before."""
        if self.wait(Wait(participant), nanoseconds) is Outcome.CLOSED:
            raise EndedError

    def rouse(self, wait: Wait) -> None:
        """End a wait, from whatever thread: it goes on when its turn comes."""
        with self._lock:
            self._rouse(wait)
            self._turn()

    def rouse_at_once(self, wait: Wait) -> None:
        """End a wait because of the real world, which takes no turns."""
        with self._lock:
            if wait in self._pending:
                self.news += 1
                wait.is_roused = True
                self._grant(wait)

    def wait_for(self, participant: Participant, other: Participant, within_ns: int | None) -> Outcome:
        """Wait until `other` has left."""
        wait = Wait(participant)
        other.joiners.append(wait)
        return self.wait(wait, within_ns, unless=lambda: other.is_over)

    def wait_for_pool(self, participant: Participant, pool: Any) -> None:
        """Wait until a pool has nothing left to do."""
        state = self._pools.get(pool)
        while state is not None and state.work and not self.is_closed:
            self.wait_for(participant, state.work[-1], None)

    @property
    def has_alarms(self) -> bool:
        """Whether anyone waits for time to pass."""
        with self._lock:
            return self._next() is not None

    def start_due(self) -> None:
        """Let everyone go on who is due now, though somebody is awake."""
        with self._lock:
            while (following := self._next()) is not None and following[0] <= self.elapsed_ns:
                self._grant(following[1])

    def close(self) -> None:
        """End virtual time: whoever waits is told."""
        with self._lock:
            self.is_closed = True
            for wait in self._pending:
                wait.knock()

    # With the lock held

    def _arrive(self, participant: Participant, ident: int) -> None:
        self.news += 1
        participant.ident = ident
        self.participants[ident] = participant

    def _enter(self, wait: Wait, due: int | None) -> None:
        self._pending[wait] = None
        wait.order = next(self._orders)
        if due is not None:
            heapq.heappush(self._queue, (due, wait.order, wait))

    def _retract(self, wait: Wait) -> None:
        wait.order = -1
        self._pending.pop(wait, None)

    def _rouse(self, wait: Wait) -> None:
        if wait.is_roused or wait.is_granted:
            return
        self.news += 1
        wait.is_roused = True
        if self.is_closed:
            wait.knock()
        elif wait in self._pending:
            self._enter(wait, self.elapsed_ns)

    def _release(self, pool: Pool, participant: Participant) -> None:
        if participant in pool.work:
            place = pool.work.index(participant)
            del pool.work[place]
            if place < pool.size <= len(pool.work):
                following = pool.work[pool.size - 1].wait
                if following is not None:
                    self._enter(following, self.elapsed_ns)

    def _next(self) -> tuple[int, Wait] | None:
        while self._queue:
            due, order, wait = self._queue[0]
            if wait.order == order:
                return due, wait
            heapq.heappop(self._queue)
        return None

    def _turn(self) -> None:
        """Give the turn to the next, if nobody is awake; this is where time moves."""
        if self.awake or self.is_closed:
            return
        following = self._next()
        if following is not None:
            due, wait = following
            if due > self.elapsed_ns:
                self.news += 1
                self.on_move(due - self.elapsed_ns)
                self.elapsed_ns, self._nudges = due, 0
            self._grant(wait)

    def _grant(self, wait: Wait) -> None:
        self._retract(wait)
        wait.is_granted = True
        self.awake[wait.participant] = None
        wait.knock()

    # Waiting for real

    def _await_turn(self, wait: Wait) -> Outcome:
        """Wait for the turn."""
        try:
            while not (wait.is_granted or self.is_closed):
                wait.rest(deadlock.LOOK_S)
                self._look(wait)
        except BaseException:
            # an interrupt, or the error of the look: this thread is awake, whether it has the turn or not
            with self._lock:
                self._grant(wait)
            raise
        if not wait.is_granted:
            return Outcome.CLOSED
        return Outcome.ROUSED if wait.is_roused else Outcome.DUE

    def _look(self, wait: Wait) -> None:
        """Start what is due now though another has the turn; raise where the clock is stuck."""
        with self._lock:
            if any(each is wait and order == wait.order and due <= self.elapsed_ns for due, order, each in self._queue):
                self._grant(wait)
            elif self._looks_after_it(wait):
                for each in self._watch.holders:
                    if each.error is not None:  # when it was to be raised, the thread was in our own code
                        deadlock.raise_in(each)
                if self._watch.is_stuck(self.news, self.awake):
                    self._watch.tell(wait.participant for wait in self._pending)

    def _looks_after_it(self, wait: Wait) -> bool:
        """Return whether this wait's thread is to look: that of the next alarm, or else of the first of all."""
        alarms = [entry for entry in self._queue if entry[2].order == entry[1] and entry[0] > self.elapsed_ns]
        if alarms:
            return min(alarms)[2] is wait
        if any(participant.ident is not None for participant in self.awake) or self.loops.hear_the_world():
            return False  # nobody waits for time to pass, and it is up to the real world
        return next(iter(self._pending), None) is wait


def current_participant() -> Participant | None:
    """Return the participant of this thread, unless it waits for real at the moment."""
    simulation = Simulation.active
    if simulation is None:
        return None
    participant = simulation.participants.get(get_ident())
    return None if participant is None or participant.real_depth else participant
