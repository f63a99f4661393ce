"""The Butler: starts, stops and schedules tasks by the rules that OpenAPI tells."""

from collections.abc import Callable
from functools import partial
import random
from typing import Any

from .activities import Activities
from .clock import Clock, Event
from .faults import Faults
from .log import Log
from .prefs import Preferences
from .run import Run
from .schedule import Window
from .tasks import Profile, Task

_SILENT = Profile()


class Butler:
    """Runs the tasks of one server. Never tells which: that is how Plex does it."""

    def __init__(
        self,
        clock: Clock,
        activities: Activities,
        preferences: Preferences,
        tasks: dict[str, Task],
        profiles: dict[str, Profile],
        *,
        seed: int,
        lingering: float,
        nightly: bool,
        at_once: int,
        log: Log,
        faults: Faults,
        on_stall: Callable[[bool], None],
        on_finish: Callable[[Run], None],
    ) -> None:
        """Rest.

        `lingering` is how long an item goes on after its task was stopped, in seconds; `at_once`
        is how many tasks the nightly schedule runs side by side.
        """
        self.tasks = tasks
        self.profiles = profiles
        self.queued: dict[str, Event] = {}
        self.lingering = lingering
        self.history: list[tuple[str, str]] = []
        self._clock = clock
        self._activities = activities
        self._preferences = preferences
        self._log = log
        self._faults = faults
        self._begun = self._ended = 0
        self._random = random.Random(seed)
        self._runs: dict[str, Run] = {}
        self._on_stall = on_stall
        self._on_finish = on_finish
        self._at_once = at_once
        self._tonight: list[str] = []
        if nightly:
            Window(clock, preferences, self._window_opens, self._window_closes)

    @property
    def running(self) -> set[str]:
        """The tasks that run."""
        return set(self._runs)

    # --- the five operations

    def start(self, name: str) -> int:
        """Answer to `POST /butler/{name}`: 200 started, 202 running already, 404 unknown.

        It runs at once, whether it is enabled, due, or waiting for its random time (inferred); but
        not if its behavior is "never" (inferred from what is reported of credits).
        """
        if name not in self.tasks:
            return 404
        if name in self._runs:
            return 202
        if self._preferences.is_never(name):
            return 200
        self._unqueue(name)
        self._begin(name)
        return 200

    def stop(self, name: str) -> int:
        """Answer to `DELETE /butler/{name}`: 200 stopped or unqueued, 404 not running."""
        unqueued = self._unqueue(name)
        if run := self._runs.get(name):
            self._halt(run)
        return 200 if unqueued or run else 404

    def start_all(self) -> None:
        """Do what `POST /butler` does with the four criteria of OpenAPI."""
        for task in self.tasks.values():
            if not task.enabled or not self._is_due(task) or task.name in self._runs:
                continue
            left = self._preferences.seconds_left_in_window(self._clock.now)
            if task.schedule_randomized and left:
                self._queue(task.name, self._random.uniform(0, left))
            else:
                self._begin(task.name)

    def stop_all(self) -> None:
        """Do what `DELETE /butler` does: stop what runs, drop what is queued."""
        self._tonight.clear()
        for name in (*self.queued, *self._runs):
            self.stop(name)

    # --- what tests and the control listener change

    def add_task(self, name: str, **fields: Any) -> None:
        """Let an update of the server bring a task."""
        self.tasks[name] = Task(name, **fields)

    def remove_task(self, name: str) -> None:
        """Let an update of the server drop a task."""
        self.stop(name)
        self.tasks.pop(name, None)

    def reset(self) -> None:
        """Die with the server's process: nothing is told, nothing goes on."""
        for run in self._runs.values():
            for event in run.events:
                event.cancel()
        for event in self.queued.values():
            event.cancel()
        self._runs.clear()
        self._begun = self._ended = 0
        self.queued.clear()
        self._tonight.clear()
        self._on_stall(False)

    # --- runs

    def _queue(self, name: str, seconds: float, *, scheduled: bool = False) -> None:
        def begin() -> None:
            del self.queued[name]
            if name not in self._runs:
                self._begin(name, scheduled=scheduled, delayed=True)

        if name not in self.queued:
            self._log.scheduled(name)
            self.queued[name] = self._clock.call_later(seconds, begin)

    def _unqueue(self, name: str) -> bool:
        if event := self.queued.pop(name, None):
            event.cancel()
        return event is not None

    def _begin(self, name: str, *, scheduled: bool = False, delayed: bool = False) -> None:
        profile = self.profiles.get(name, _SILENT)
        works_on_items = profile.activity and profile.items
        run = Run(name, profile, profile.items if works_on_items else 1, scheduled=scheduled)
        self._runs[name] = run
        self._begun += 1
        self.history.append(("started", name))
        self._log.started(name, delayed=delayed)
        self._show()
        if not works_on_items:
            run.events.append(self._clock.call_later(profile.duration, lambda: self._finish(run)))
            return
        for lane in range(min(profile.side_by_side, profile.items)):
            self._next_item(run, lane)

    def _next_item(self, run: Run, number: int) -> None:
        """Work on an item, then after a gap on the next one of the same lane."""
        profile = run.profile
        assert profile.activity
        activity = self._activities.begin(profile.activity, f"Private Show S01 E{number + 1:02}")
        run.items.append(activity)
        self._log.worked_on(profile.activity)

        def half() -> None:
            self._activities.progress(activity, 50)

        def end() -> None:
            self._activities.end(activity)
            run.items.remove(activity)
            run.done += 1
            self._show()
            following = number + profile.side_by_side
            if run.done == run.total:
                self._finish(run)
            elif following < run.total:
                later(profile.gap_seconds, lambda: self._next_item(run, following))

        def later(seconds: float, callback: Callable[[], None]) -> None:
            run.events.append(self._clock.call_later(seconds, callback))

        later(profile.item_seconds / 2, half)
        later(profile.item_seconds, end)

    def _finish(self, run: Run) -> None:
        self._log.finished(run.task)
        self._leave(run, "finished")
        self._on_finish(run)

    def _halt(self, run: Run) -> None:
        """Stop a run; an item that is being worked on ends a little later."""
        for event in run.events:
            event.cancel()
        for activity in run.items:
            self._clock.call_later(self.lingering, partial(self._activities.end, activity, None))
        self._leave(run, "stopped")

    def _leave(self, run: Run, outcome: str) -> None:
        del self._runs[run.task]
        self._ended += 1
        if self._faults.row_counts_tasks:
            self._show()
        self._log.left(run.task)
        self.history.append((outcome, run.task))
        if not self._next_of_tonight():
            self._show()

    def _show(self) -> None:
        """Show in Butler's row what share of the work that is known is done."""
        runs = self._runs.values()
        if self._faults.row_counts_tasks:
            done, total = self._ended * 100, self._begun
        else:
            done, total = sum(run.done for run in runs) * 99, sum(run.total for run in runs)
        self._activities.work(done // total if runs else None)
        self._on_stall(any(run.profile.stalls for run in runs))

    # --- the schedule

    def _is_due(self, task: Task) -> bool:
        """Tell whether today is a day on which a task of this interval runs."""
        return self._clock.now.toordinal() % task.interval == 0

    def _window_opens(self, left: float) -> None:
        for task in self.tasks.values():
            if task.enabled and self._is_due(task):
                if task.schedule_randomized:
                    self._queue(task.name, self._random.uniform(0, left), scheduled=True)
                else:
                    self._tonight.append(task.name)
        for _ in range(self._at_once):
            self._next_of_tonight()

    def _next_of_tonight(self) -> bool:
        scheduled = sum(run.scheduled for run in self._runs.values())
        while self._tonight and scheduled < self._at_once:
            name = self._tonight.pop(0)
            if name in self.tasks and name not in self._runs:
                self._begin(name, scheduled=True)
                return True
        return False

    def _window_closes(self) -> None:
        self._tonight.clear()
        for run in tuple(self._runs.values()):
            if run.scheduled:
                self._halt(run)
