"""Virtual time for threads that take turns: a discrete event simulation of everything that waits.

Each thread on the timeline has a seat. One of them is awake at a time; when it waits, the turn goes to whoever is due,
and only when nobody is due now does time move, to the next alarm at once. So waiting takes no real time, waits that
overlap overlap exactly, and threads take turns in an order that is the same in every run.

What this cannot see is a thread that blocks where it did not say so: in a socket, in a lock taken in C, in a busy
loop. It stays awake, and so the clock stands still. That is right while it works or waits for the real world. If
another seat was handed its turn meanwhile, it starts after half a second all the same, in parallel; and if nothing
has stirred for `deadlock.PATIENCE_S`, whoever waits for the clock raises an error that says who holds it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from _thread import RLock, get_ident
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pytest_mlflow_traces.virtual_time import deadlock, originals
from pytest_mlflow_traces.virtual_time.participants import EndedError, Outcome, Pool, Seat, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NS_PER_S = 1_000_000_000


class Timeline:
    """Hold the time, who is awake, and who is to be woken when."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self._nudges = 0
        self.is_closed = False
        self.seats: dict[int, Seat] = {}
        self.threads: WeakKeyDictionary[Any, Seat] = WeakKeyDictionary()
        self.loops: Any = None  # what stands around it: the event loops, and what the user sees of it
        self.owner: Any = None
        self.on_move: Callable[[int], object] = lambda _: None
        self._lock = RLock()  # a finalizer that notifies may run in the middle of anything here
        self._steps = 0  # how often anyone began or ended a wait
        self._orders = itertools.count()
        self._queue: list[tuple[int, int, Ticket]] = []
        self._pending: dict[Ticket, None] = {}
        self._awake: dict[Seat, None] = {}
        self._pools: WeakKeyDictionary[Any, Pool] = WeakKeyDictionary()
        self._monotonic_ns = originals.monotonic_ns()
        self._perf_counter_ns = originals.perf_counter_ns()

    @property
    def monotonic_ns(self) -> int:
        """What `time.monotonic_ns()` shows: it goes on from where it was."""
        return self._monotonic_ns + self.elapsed_ns

    @property
    def perf_counter_ns(self) -> int:
        """What `time.perf_counter_ns()` shows."""
        return self._perf_counter_ns + self.elapsed_ns

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

    # Taking and leaving seats

    def open_seat(self, name: str, ident: int) -> Seat:
        """Seat a thread that runs already, and so is awake."""
        seat = Seat(self, name)
        with self._lock:
            self._arrive(seat, ident)
            self._awake[seat] = None
        return seat

    def reserve(self, name: str, pool: Any = None, size: int = 0) -> Seat:
        """Keep a seat for a thread that is about to start, or for work that a pool is about to do: it is due now."""
        with self._lock:
            state = None
            if pool is not None:
                state = self._pools.get(pool)
                if state is None:
                    state = self._pools[pool] = Pool(size)
            seat = Seat(self, name, state)
            seat.ticket = Ticket(seat)
            if state is None:
                self._enter(seat.ticket, self.elapsed_ns)
            elif len(state.running) < state.size:
                state.running.add(seat)
                self._enter(seat.ticket, self.elapsed_ns)
            else:
                state.backlog.append(seat)
        return seat

    @contextmanager
    def seated(self, seat: Seat) -> Iterator[None]:
        """Take a reserved seat: wait for its turn, and leave it in the end."""
        ticket = seat.ticket
        with self._lock:
            is_mine = not self.is_closed and not seat.is_over and ticket is not None
            if is_mine:
                self._arrive(seat, get_ident())
        if not is_mine or ticket is None:
            yield
            return
        try:
            self._sit(ticket)
            yield
        finally:
            self.leave(seat)

    def leave(self, seat: Seat) -> None:
        """Give up a seat, taken or not, and rouse who waits for that."""
        with self._lock:
            seat.is_over = True
            if seat.ident is not None:
                self.seats.pop(seat.ident, None)
            if seat.ticket is not None:
                self._retract(seat.ticket)
            for ticket in seat.joiners:
                self._rouse(ticket)
            if seat.pool is not None:
                self._release(seat.pool, seat)
            self._awake.pop(seat, None)
            self._turn()

    # Waiting

    def wait(
        self, ticket: Ticket, within_ns: int | None = None, unless: Callable[[], object] = lambda: False
    ) -> Outcome:
        """Give the turn away until the ticket is roused or its time has come; not at all if `unless` says so."""
        seat = ticket.seat
        with self._lock:
            if self.is_closed:
                return Outcome.CLOSED
            if ticket.is_roused or unless():
                return Outcome.ROUSED
            self._enter(ticket, None if within_ns is None else self.elapsed_ns + within_ns)
            self._awake.pop(seat, None)
            self._turn()
        return self._sit(ticket)

    def sleep(self, seat: Seat, nanoseconds: int) -> None:
        """Wait for time to pass; raise EndedError where virtual time is over before."""
        if self.wait(Ticket(seat), nanoseconds) is Outcome.CLOSED:
            raise EndedError

    def rouse(self, ticket: Ticket) -> None:
        """End a wait, from whatever thread: it goes on when its turn comes."""
        with self._lock:
            self._rouse(ticket)
            self._turn()

    def rouse_at_once(self, ticket: Ticket) -> None:
        """End a wait because of the real world, which takes no turns."""
        with self._lock:
            if ticket.is_pending:
                ticket.is_roused = True
                self._grant(ticket)

    def wait_for(self, seat: Seat, other: Seat, within_ns: int | None) -> Outcome:
        """Wait until `other` has left."""
        ticket = Ticket(seat)
        other.joiners.append(ticket)
        return self.wait(ticket, within_ns, unless=lambda: other.is_over)

    def wait_for_pool(self, seat: Seat, pool: Any) -> None:
        """Wait until a pool has nothing left to do."""
        state = self._pools.get(pool)
        while state is not None and (state.running or state.backlog) and not self.is_closed:
            ticket = Ticket(seat)
            state.waiters.append(ticket)
            self.wait(ticket, unless=lambda: not state.running and not state.backlog)

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
            for ticket in self._pending:
                ticket.knock()

    # With the lock held

    def _arrive(self, seat: Seat, ident: int) -> None:
        seat.ident = ident
        self.seats[ident] = seat

    def _enter(self, ticket: Ticket, due: int | None) -> None:
        self._steps += 1
        ticket.is_pending = True
        self._pending[ticket] = None
        ticket.order = next(self._orders)
        if due is not None:
            heapq.heappush(self._queue, (due, ticket.order, ticket))

    def _retract(self, ticket: Ticket) -> None:
        ticket.is_pending, ticket.order = False, -1
        self._pending.pop(ticket, None)

    def _rouse(self, ticket: Ticket) -> None:
        if ticket.is_roused or ticket.is_granted:
            return
        ticket.is_roused = True
        if self.is_closed:
            ticket.knock()
        elif ticket.is_pending:
            self._enter(ticket, self.elapsed_ns)

    def _release(self, pool: Pool, seat: Seat) -> None:
        if seat in pool.running:
            pool.running.remove(seat)
            if pool.backlog:
                following = pool.backlog.popleft()
                pool.running.add(following)
                if following.ticket is not None:
                    self._enter(following.ticket, self.elapsed_ns)
        elif seat in pool.backlog:
            pool.backlog.remove(seat)
        if not pool.running and not pool.backlog:
            for ticket in pool.waiters:
                self._rouse(ticket)
            pool.waiters.clear()

    def _next(self) -> tuple[int, Ticket] | None:
        while self._queue:
            due, order, ticket = self._queue[0]
            if ticket.order == order:
                return due, ticket
            heapq.heappop(self._queue)
        return None

    def _turn(self) -> None:
        """Give the turn to the next, if nobody is awake; this is where time moves."""
        if self._awake or self.is_closed:
            return
        following = self._next()
        if following is not None:
            due, ticket = following
            if due > self.elapsed_ns:
                self.on_move(due - self.elapsed_ns)
                self.elapsed_ns, self._nudges = due, 0
            self._grant(ticket)

    def _grant(self, ticket: Ticket) -> None:
        self._retract(ticket)
        ticket.is_granted = True
        self._awake[ticket.seat] = None
        ticket.knock()

    # Waiting for real

    def _sit(self, ticket: Ticket) -> Outcome:
        """Wait for the turn."""
        watch = deadlock.Watch()
        try:
            while not (ticket.is_granted or self.is_closed):
                ticket.rest(deadlock.LOOK_S)
                self._look(ticket, watch)
        except BaseException:
            # an interrupt, or the error of the look: this thread is awake, whether it has the turn or not
            with self._lock:
                self._retract(ticket)
                ticket.is_granted = True
                self._awake[ticket.seat] = None
            raise
        if not ticket.is_granted:
            return Outcome.CLOSED
        return Outcome.ROUSED if ticket.is_roused else Outcome.DUE

    def _look(self, ticket: Ticket, watch: deadlock.Watch) -> None:
        """Start what is due now though another has the turn; raise where the clock is stuck."""
        with self._lock:
            following = self._next()
            if ticket.is_pending and any(
                each is ticket and order == ticket.order and due <= self.elapsed_ns for due, order, each in self._queue
            ):
                self._grant(ticket)
            elif following is None or following[1] is not ticket:
                watch.is_stuck(None)  # whoever is next looks after it
            elif watch.is_stuck(self._steps, deadlock.stacks(self._awake)):
                raise deadlock.error(self._awake)


_active: Timeline | None = None  # of the whole process, as time.sleep is


def activate(timeline: Timeline | None) -> None:
    """Set the timeline of this process."""
    global _active
    _active = timeline


def active_timeline() -> Timeline | None:
    """Return the timeline of this process."""
    return _active


def current_seat() -> Seat | None:
    """Return the seat of this thread, unless it waits for real at the moment."""
    timeline = _active
    if timeline is None:
        return None
    seat = timeline.seats.get(get_ident())
    return None if seat is None or seat.real_depth else seat
