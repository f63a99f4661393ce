"""Who started and who stopped a run: what the run itself knows of it."""

from contextlib import ExitStack

from custom_components.plex_butler.runs.models import USER, EndedRun, Origin, Outcome
from tests.runs.server import BUSY, INTRO_ITEM, NIGHT, Server, item, take_ended
from tests.task_names import BACKUP, INTROS

MORNING = Origin("a", entity_id="automation.morning")
SOMEBODY = Origin("b", user_id="0123")


def only(runs: list[EndedRun]) -> EndedRun:
    [run] = runs
    return run


def test_author_is_the_automation_or_script_then_the_user_then_nobody() -> None:
    assert Origin("c", "d", "0123", "script.night").author == "script.night"
    assert SOMEBODY.author == USER
    assert Origin("c", "d").author is None


def test_run_knows_who_started_it_until_it_has_ended() -> None:
    server = Server()
    with server.runs.sending_start(INTROS, server.now, MORNING) as start:
        start.record_accepted(server.now)
    assert server.runs.running[INTROS].started_by is MORNING
    assert server.runs.running[INTROS].as_dict()["started_by"] == "automation.morning"
    server.poll(item(INTRO_ITEM))
    server.polls(300)
    ended = only(take_ended(server.runs))
    assert (ended.outcome, ended.started_by, ended.stopped_by) == (
        Outcome.FINISHED,
        MORNING,
        None,
    )
    assert ended.ended_by is MORNING
    assert ended.ours


def test_run_that_was_stopped_knows_who_did_it_as_well() -> None:
    server = Server()
    with server.runs.sending_start(INTROS, server.now, MORNING) as start:
        start.record_accepted(server.now)
    server.poll(item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now, SOMEBODY)
    ended = only(take_ended(server.runs))
    assert (ended.started_by, ended.stopped_by, ended.ended_by) == (MORNING, SOMEBODY, SOMEBODY)
    details = ended.as_dict()
    assert (details["started_by"], details["stopped_by"]) == ("automation.morning", "user")


def test_stop_of_everything_has_one_author() -> None:
    server = Server()
    for task in (INTROS, BACKUP):
        with server.runs.sending_start(task, server.now, MORNING) as start:
            start.record_accepted(server.now)
    server.runs.record_stop_all(server.now, SOMEBODY)
    assert [run.stopped_by for run in take_ended(server.runs)] == [SOMEBODY, SOMEBODY]


def test_task_that_was_running_already_was_not_started_by_who_asked_for_it() -> None:
    server = Server()
    with server.runs.sending_start(BACKUP, server.now, MORNING) as start:
        start.record_already_running(server.now)
    run = server.runs.running[BACKUP]
    assert (run.ours, run.started, run.started_by) == (True, None, None)


def test_run_keeps_its_author_when_somebody_else_asks_for_the_same_task() -> None:
    server = Server()
    with server.runs.sending_start(BACKUP, server.now, MORNING) as start:
        start.record_accepted(server.now)
    with server.runs.sending_start(BACKUP, server.now, SOMEBODY) as start:
        start.record_already_running(server.now)
    assert server.runs.running[BACKUP].started_by is MORNING


def test_start_without_an_answer_has_its_author_if_evidence_follows() -> None:
    server = Server()
    with server.runs.sending_start(INTROS, server.now, MORNING):
        pass
    assert not server.runs.running
    server.poll(item(INTRO_ITEM))
    assert server.runs.running[INTROS].started_by is MORNING


def test_start_that_is_accepted_after_its_run_was_ended_has_its_author() -> None:
    server = Server()
    with ExitStack() as stack:
        start = stack.enter_context(server.runs.sending_start(INTROS, server.now, MORNING))
        server.runs.record_server_gone()
        start.record_accepted(server.now)
    assert server.runs.running[INTROS].started_by is MORNING
    assert server.runs.running[INTROS].started == NIGHT


def test_what_plex_runs_by_itself_has_no_author_but_its_stop_may_have() -> None:
    server = Server(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM))
    assert (server.runs.running[INTROS].ours, server.runs.running[INTROS].started_by) == (
        False,
        None,
    )
    server.runs.record_stop(INTROS, server.now, SOMEBODY)
    ended = only(take_ended(server.runs))
    assert (ended.ours, ended.started_by, ended.stopped_by) == (False, None, SOMEBODY)
