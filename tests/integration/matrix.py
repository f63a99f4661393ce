"""The table of faults: what each fault of a server or of plex.tv means, operation by operation.

A fault belongs to a class, and what each operation says follows from the class.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, override

COMMANDS: Final = ("start_task", "run_task", "stop_task", "start_all", "stop_all", "set_schedule")
_READ_FIRST: Final = ("start_task", "run_task", "start_all", "set_schedule")
_REFUSED: Final = (
    "https_required",
    "no_butler",
    "not_owner",
    "not_plex",
    "proxy_refuses",
    "starting_up",
    "too_many_requests",
    "unauthorized",
)
"""What is said in other words of a command that was sent."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of faults, as the keys of what is said. An empty key: it works as ever.

    `poll`: a poll that reads everything, and a set-up. `sent`: a command that is sent at once, because
    the server has just answered; those that read first what there is say `start`. `later`: a
    command after failed polls. `form`: a server that is entered or chosen, as an error of the form.
    `sign_in`: the menu that a sign-in ends with, if it is not the form. `but`: commands that say
    something else when they are sent at once.
    """

    name: str
    poll: str = ""
    start: str = ""
    sent: str = ""
    later: str = ""
    form: str = ""
    sign_in: str = ""
    but: Mapping[str, str] = field(default_factory=dict)
    but_later: Mapping[str, str] = field(default_factory=dict)
    aborts: bool = False
    """Whether a flow that changes the server ends with the error of the form."""
    busy: bool = False
    """Whether the polls of a server that works are good, although a set-up fails."""
    repair: str = ""
    asks_for_token: bool = False
    forgets: bool = False
    """Whether the server lists fewer tasks: it is believed, and their runs end."""
    hides: bool = False
    """Whether the server no longer lists its preferences: only the entities of these are unavailable."""

    def at_once(self, command: str) -> str:
        """Return what a command says that is sent just after the server has answered."""
        return self.but.get(command, self.start if command in _READ_FIRST else self.sent)

    def after_polls(self, command: str) -> str:
        """Return what a command says after polls have met the fault."""
        return (
            self.but_later.get(command, self.later)
            if self.later or self.but_later
            else ("" if self.poll else self.at_once(command))
        )


def _fails(name: str, key: str, **fields: Any) -> Kind:
    """Return a class of faults with which everything fails for the same reason."""
    sent = f"{key}_refused" if key in _REFUSED else key
    told = {"poll": key, "start": key, "sent": sent, "later": key, "form": key}
    return Kind(name, **told | fields)


NOT_CONFIRMED: Final = "command_not_confirmed"

NO_EFFECT: Final = Kind("no effect")
OUTAGE: Final = _fails("outage", "cannot_connect", sent=NOT_CONFIRMED, sign_in="not_reached")
OUTAGE_BUT_IDENTITY: Final = _fails(
    "outage, but for the identity", "cannot_connect", sent=NOT_CONFIRMED
)
DROPPED: Final = _fails(
    "outage: connections are closed",
    "cannot_connect",
    sent=NOT_CONFIRMED,
    form="http_dropped",
    sign_in="not_reached",
)
CUT: Final = _fails(
    "outage: bodies are cut off",
    "cannot_connect",
    sent="",
    sign_in="not_reached",
)
BUSY: Final = _fails(
    "busy",
    "timed_out",
    sent=NOT_CONFIRMED,
    later="server_busy",
    sign_in="not_reached",
    busy=True,
)
STARTING_UP: Final = _fails("starting up", "starting_up", sign_in="starting_up")
STARTING_UP_BUT_IDENTITY: Final = _fails("starting up, but for the identity", "starting_up")
STARTING_UP_FOR_COMMANDS: Final = Kind(
    "starting up, for commands only", start="starting_up_refused", sent="starting_up_refused"
)
REFUSED: Final = _fails("refused token", "unauthorized", asks_for_token=True)
NOT_OWNER: Final = _fails("not the owner", "not_owner", repair="not_owner")
OTHER_SERVER: Final = _fails(
    "other server",
    "other_server",
    start="",
    sent="",
    form="other_server",
    sign_in="not_reached",
    aborts=True,
    repair="other_server",
)
OWN_ERROR: Final = _fails("error of its own", "server_error", sent="command_server_error")
NO_BUTLER: Final = _fails(
    "no Butler",
    "no_butler",
    start="task_not_found",
    but={"stop_task": "", "start_all": "no_butler_refused", "set_schedule": ""},
)
PROXY: Final = _fails(
    "something else answers", "not_plex", sent=NOT_CONFIRMED, sign_in="not_reached"
)
REDIRECT: Final = _fails("something else answers: redirect", "not_plex", sign_in="not_reached")
NOT_PLEX_BUT_IDENTITY: Final = _fails(
    "something else answers, but for the identity",
    "not_plex",
    but={"set_schedule": "schedule_refused"},
)
NO_PATHS: Final = _fails(
    "404 for everything but the identity",
    "not_plex",
    start="task_not_found",
    sent="no_butler_refused",
    but={
        "stop_task": "",
        "start_all": "no_butler_refused",
        "set_schedule": "schedule_refused",
    },
)
ENDLESS: Final = _fails(
    "something else answers: endless bodies",
    "not_plex",
    sent="",
    sign_in="not_reached",
)
PROXY_REFUSES: Final = _fails("proxy refuses", "proxy_refuses")
TOO_MANY: Final = _fails("too many requests", "too_many_requests")
TOO_MANY_BUT_IDENTITY: Final = _fails(
    "too many requests, but for the identity", "too_many_requests"
)
HTTPS: Final = _fails(
    "https port", "https_required", sign_in="not_reached", repair="https_required"
)
NO_ANSWER: Final = Kind("commands are not answered", start=NOT_CONFIRMED, sent=NOT_CONFIRMED)
NO_ANSWER_TO_STARTS: Final = Kind(
    "starts are not answered",
    but=dict.fromkeys(("start_task", "run_task", "start_all"), NOT_CONFIRMED),
)
NO_ANSWER_TO_STOPS: Final = Kind(
    "stops are not answered", but=dict.fromkeys(("stop_task", "stop_all"), NOT_CONFIRMED)
)
SHORT_LIST: Final = Kind(
    "fewer tasks are listed",
    but_later=dict.fromkeys(("start_task", "run_task", "stop_task"), "task_not_listed"),
    forgets=True,
)


def _no_list(name: str, key: str) -> Kind:
    """Return a class of faults with which everything works but the schedule."""
    return Kind(
        name,
        but={"set_schedule": key},
        but_later={"set_schedule": "schedule_not_listed"},
        hides=True,
    )


NO_PREFERENCES: Final = _no_list("no preferences", "schedule_refused")
NO_PREFERENCES_ADMIN: Final = _no_list("no preferences: not an admin", "not_owner")
NO_PREFERENCES_ERROR: Final = _no_list("no preferences: an error", "server_error")
NOT_KEPT: Final = Kind("preferences are not kept", but={"set_schedule": "schedule_differs"})


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, or a few that belong together, and its class."""

    kind: Kind
    faults: Mapping[str, Any]
    host: str = "127.0.0.1"
    """The name by which the entry and the form know the server; a sign-in uses its IP address."""

    @override
    def __str__(self) -> str:
        """Return the faults, for the name of a test."""
        by_name = {} if self.host == "127.0.0.1" else {"host": self.host}
        return ", ".join(
            name if value is True else f"{name}={value}"
            for name, value in {**self.faults, **by_name}.items()
        )


def _case(kind: Kind, *flags: str, host: str = "127.0.0.1", **values: Any) -> Case:
    return Case(kind, dict.fromkeys(flags, True) | values, host)


CASES: Final = (
    _case(REFUSED, "unauthorized"),
    _case(NOT_OWNER, "forbidden"),
    _case(NO_EFFECT, "unknown_host_name"),
    _case(REFUSED, "unknown_host_name", host="cellar"),
    _case(STARTING_UP, "maintenance"),
    _case(STARTING_UP, "maintenance", retry_after=20),
    _case(STARTING_UP_BUT_IDENTITY, "maintenance_but_identity"),
    _case(STARTING_UP_FOR_COMMANDS, "still_starting_up"),
    _case(OWN_ERROR, "own_error"),
    _case(NO_EFFECT, "no_activities"),
    _case(NO_EFFECT, "no_sessions"),
    _case(NO_EFFECT, "sessions_refused"),
    _case(NO_BUTLER, "no_butler"),
    _case(OTHER_SERVER, "other_machine_identifier"),
    _case(OUTAGE, "bad_gateway"),
    _case(PROXY, "login_page"),
    _case(PROXY, "other_json"),
    _case(NO_EFFECT, "root_redirect"),
    _case(REDIRECT, redirect_to="http://127.0.0.1:9/login"),
    _case(HTTPS, redirect_to="https://127.0.0.1:9/"),
    _case(PROXY, proxy_status=400),
    _case(PROXY_REFUSES, proxy_status=401),
    _case(PROXY_REFUSES, proxy_status=403),
    _case(PROXY, proxy_status=404),
    _case(PROXY, proxy_status=405),
    _case(TOO_MANY, proxy_status=429),
    _case(TOO_MANY, proxy_status=429, retry_after=20),
    _case(OUTAGE, proxy_status=500),
    _case(OUTAGE, proxy_status=502),
    _case(OUTAGE, proxy_status=503),
    _case(OUTAGE, proxy_status=504),
    _case(OUTAGE, proxy_status=521),
    _case(OUTAGE, proxy_status=530),
    _case(NOT_PLEX_BUT_IDENTITY, proxy_status_but_identity=400),
    _case(REFUSED, proxy_status_but_identity=401),
    _case(NOT_OWNER, proxy_status_but_identity=403),
    _case(NO_PATHS, proxy_status_but_identity=404),
    _case(TOO_MANY_BUT_IDENTITY, proxy_status_but_identity=429),
    _case(OWN_ERROR, proxy_status_but_identity=500),
    _case(OUTAGE_BUT_IDENTITY, proxy_status_but_identity=502),
    _case(PROXY_REFUSES, "proxy_wants_password"),
    _case(HTTPS, "https_port"),
    _case(BUSY, "hang"),
    _case(NO_EFFECT, slow=0.002),
    _case(DROPPED, "empty_reply"),
    _case(NO_ANSWER, "drop_reply"),
    _case(NO_ANSWER_TO_STARTS, late_answers="POST"),
    _case(NO_ANSWER_TO_STOPS, late_answers="DELETE"),
    _case(NO_EFFECT, "late_websocket"),
    _case(NO_ANSWER, "drop_reused"),
    _case(NO_EFFECT, "close_behind_answers"),
    _case(CUT, "cut_body"),
    _case(ENDLESS, "endless_body"),
    _case(NO_EFFECT, "no_websocket"),
    _case(NO_EFFECT, "silent_websocket"),
    _case(NO_EFFECT, "control_characters"),
    _case(NO_EFFECT, "control_characters", "always_xml"),
    _case(NO_EFFECT, "always_xml"),
    _case(NO_EFFECT, "strings"),
    _case(NO_EFFECT, "missing_enabled"),
    _case(NO_EFFECT, "media_container_root"),
    _case(NO_EFFECT, "bare_list"),
    _case(SHORT_LIST, "single_object"),
    _case(NO_EFFECT, "malformed_rows"),
    _case(NO_EFFECT, "unusable_names"),
    _case(NO_EFFECT, "unknown_task"),
    _case(NO_EFFECT, "numeric_uuids"),
    _case(NO_EFFECT, "no_context"),
    _case(NO_EFFECT, "html_after_command"),
    _case(NO_EFFECT, "stops_under_another_key"),
    _case(NO_EFFECT, late_sessions=3),
    _case(NO_EFFECT, "refuse_unknown_preference"),
    _case(NO_PREFERENCES_ADMIN, prefs_status=403),
    _case(NO_PREFERENCES, prefs_status=404),
    _case(NO_PREFERENCES_ERROR, prefs_status=500),
    _case(NO_EFFECT, prefs_unreadable=3),
    _case(NOT_KEPT, "prefs_ignored"),
    _case(NO_EFFECT, "no_prefs_get"),
    _case(NO_EFFECT, "old_hour_labels"),
    _case(NO_EFFECT, "no_enum_labels"),
    _case(NO_EFFECT, "never_is_ignored"),
    _case(NO_EFFECT, "no_log", "log_for_everybody", "log_other_verbs", "log_exceptions"),
    _case(NO_EFFECT, "log_activities", "log_foreign_exceptions"),
    _case(NO_EFFECT, log_refused=403, backup_code=11),
    _case(
        NO_EFFECT,
        "webhooks_off",
        "no_plex_pass",
        "untyped_webhook",
        "backup_fails",
        "by_name_is_silent",
    ),
    _case(NO_EFFECT, "no_row"),
    _case(NO_EFFECT, "row_always_100"),
    _case(NO_EFFECT, "row_indeterminate"),
    _case(NO_EFFECT, "row_per_run"),
    _case(NO_EFFECT, "row_counts_tasks"),
)

PLEX_TV_CASES: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("plex_tv_down", {"bad_gateway": True}),
    ("plex_tv_down", {"empty_reply": True}),
    ("rate_limited", {"rate_limited": True}),
    ("rate_limited", {"rate_limited": True, "retry_after": None}),
    ("not_plex_tv", {"redirect_to": "http://127.0.0.1:9/"}),
    ("not_plex_tv", {"garbage": b"<html>"}),
    ("not_plex_tv", {"garbage": b"[7]"}),
    ("", {"slow": 0.002}),
    ("", {"strings": True}),
    ("not_plex_tv", {"always_xml": True}),
    ("", {"only_at": "/webhooks", "no_plex_pass": True, "webhooks_lost": True}),
    ("", {"created": 200}),
)
"""The menu with which a sign-in ends, empty if it goes on; and the faults of plex.tv."""


def as_markdown() -> str:
    """Return the table of servers' faults, a row for each class, for the notes of the project."""
    titles = (
        "Class",
        "Faults",
        "Poll",
        "Start, at once",
        "Other commands, at once",
        "Any command, later",
        "Form",
        "Sign-in",
    )
    lines = [_row(titles), _row(["---"] * len(titles))]
    for kind, cases in groupby(sorted(CASES, key=_by_name), key=lambda case: case.kind):
        others = {command: kind.at_once(command) for command in COMMANDS[2:]}
        later = {command: kind.after_polls(command) for command in COMMANDS}
        cells = (
            kind.name,
            "; ".join(f"`{case}`" for case in cases),
            f"{kind.poll}_poll" if kind.poll and not kind.busy else "",
            kind.at_once("start_task"),
            _together(others),
            _together(later),
            kind.form,
            kind.sign_in or kind.form,
        )
        lines.append(_row(cells))
    return "\n".join(lines)


def _by_name(case: Case) -> str:
    return case.kind.name


def _row(cells: Iterable[str]) -> str:
    return "".join(f"| {cell or 'works'} " for cell in cells) + "|"


def _together(keys: Mapping[str, str]) -> str:
    """Return the one key of several commands, or what each of them says."""
    if len(set(keys.values())) == 1:
        return next(iter(keys.values()))
    return ", ".join(f"{command}: {key or 'works'}" for command, key in keys.items())
