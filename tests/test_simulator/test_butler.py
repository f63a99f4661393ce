"""The simulated server by the rules of a real one: its Butler, its schedule, who may do what."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from tests.bare_http import XML, ask
from tests.simulator import Faults, Profile, SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

MONDAY_EVENING = datetime(2026, 11, 23, 20)
MONDAY_NIGHT = datetime(2026, 11, 23, 3)
SILENT = "DeepMediaAnalysis"
INTROS = "ButlerTaskGenerateIntroMarkers"


def only(server: SimulatedPlex, *names: str) -> None:
    """Leave a server with these tasks."""
    for name in [*server.butler.tasks]:
        if name not in names:
            server.butler.remove_task(name)


def started(server: SimulatedPlex) -> list[str]:
    """Return what was started, in order."""
    return [name for what, name in server.butler.history if what == "started"]


def types(server: SimulatedPlex) -> Counter[str]:
    """Return how many activities of each type are listed."""
    return Counter(row["type"] for row in server.activities.rows())


# --- start


async def test_start_by_name(server: SimulatedPlex) -> None:
    assert (await ask(server, "POST", f"/butler/{SILENT}")).status == 200
    assert (await ask(server, "POST", f"/butler/{SILENT}")).status == 202
    assert server.butler.running == {SILENT}
    assert (await ask(server, "POST", f"/butler/{SILENT.lower()}")).status == 404
    assert (await ask(server, "POST", "/butler/Nobody")).status == 404
    await server.advance(180)
    assert not server.butler.running
    assert server.butler.history == [("started", SILENT), ("finished", SILENT)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/butler/{SILENT}/", 200),
        (f"/butler{SILENT}", 404),
        (f"/butler/{SILENT}/now", 404),
        (f"/butler/x%2F..%2F{SILENT}", 404),
        (f"/butler%2F{SILENT}", 404),
        (f"/Butler/{SILENT}", 404),
        (f"/butler/%44{SILENT[1:]}", 200),
        (f"/butler/{SILENT}?X-Plex-Product=curl", 200),
    ],
)
async def test_path_of_a_task(server: SimulatedPlex, path: str, status: int) -> None:
    assert (await ask(server, "POST", path)).status == status
    assert server.butler.running == ({SILENT} if status == 200 else set())


@pytest.mark.parametrize("path", ["/butler", "/butler/", "/butler//", "/butler/."])
async def test_path_without_a_name_is_the_whole_butler(server: SimulatedPlex, path: str) -> None:
    assert (await ask(server, "POST", path)).status == 200
    assert len(server.butler.running) > 1
    assert (await ask(server, "DELETE", path)).status == 200
    assert not server.butler.running


async def test_disabled_task_runs_by_its_name_alone(server: SimulatedPlex) -> None:
    only(server, "RefreshLibraries", SILENT)
    assert (await ask(server, "POST", "/butler")).status == 200
    assert server.butler.running == {SILENT}
    assert (await ask(server, "POST", "/butler/RefreshLibraries")).status == 200
    assert server.butler.running == {SILENT, "RefreshLibraries"}


@pytest.mark.parametrize("interval", [1, 3, 7])
async def test_start_all_skips_what_is_not_due_today(interval: int) -> None:
    days = []
    for day in range(21):
        async with SimulatedPlex(start=MONDAY_EVENING + timedelta(days=day)) as server:
            only(server)
            server.butler.add_task("Chore", interval=interval)
            assert (await ask(server, "POST", "/butler")).status == 200
            days += [day] if server.butler.running else []
    assert len(days) == 21 / interval
    assert {later - day for day, later in pairwise(days)} == {interval}


async def test_start_all_leaves_alone_what_runs(server: SimulatedPlex) -> None:
    only(server, SILENT)
    server.butler.start(SILENT)
    await server.advance(100)
    await ask(server, "POST", "/butler")
    await server.advance(80)
    assert not server.butler.running
    assert started(server) == [SILENT]


@pytest.mark.parametrize(
    ("start", "queued"), [(MONDAY_EVENING, False), (MONDAY_NIGHT, True)], ids=["outside", "inside"]
)
async def test_random_task_waits_for_its_time_only_inside_the_window(
    start: datetime, queued: bool
) -> None:
    async with SimulatedPlex(start=start) as server:
        only(server, "RefreshEpgGuides", SILENT)
        await ask(server, "POST", "/butler")
        await ask(server, "POST", "/butler")
        assert SILENT in server.butler.running
        assert ("RefreshEpgGuides" in server.butler.queued) is queued
        assert ("RefreshEpgGuides" in server.butler.running) is not queued
        await server.advance(2 * 3600)
        assert started(server).count("RefreshEpgGuides") == 1
        assert not server.butler.queued


async def test_queued_task_is_dropped_by_its_name() -> None:
    async with SimulatedPlex(start=MONDAY_NIGHT) as server:
        only(server, "RefreshEpgGuides")
        await ask(server, "POST", "/butler")
        assert (await ask(server, "DELETE", "/butler/RefreshEpgGuides")).status == 200
        assert (await ask(server, "DELETE", "/butler/RefreshEpgGuides")).status == 404
        await server.advance(2 * 3600)
        assert not started(server)


async def test_queued_task_that_is_started_by_name_does_not_run_again() -> None:
    async with SimulatedPlex(start=MONDAY_NIGHT) as server:
        only(server, "RefreshEpgGuides")
        await ask(server, "POST", "/butler")
        assert (await ask(server, "POST", "/butler/RefreshEpgGuides")).status == 200
        await server.advance(2 * 3600)
        assert started(server) == ["RefreshEpgGuides"]


async def test_same_seed_same_night() -> None:
    nights = []
    for seed in (1, 1, 2):
        async with SimulatedPlex(start=MONDAY_NIGHT, seed=seed) as server:
            await ask(server, "POST", "/butler")
            await server.advance(60)
            due = [event.at for event in server.butler.queued.values()]
            nights.append((due, server.activities.rows(), server.butler.history))
    assert nights[0] == nights[1] != nights[2]


# --- stop


async def test_stop_by_name(server: SimulatedPlex) -> None:
    assert (await ask(server, "DELETE", f"/butler/{SILENT}")).status == 404
    server.butler.start(SILENT)
    assert (await ask(server, "DELETE", f"/butler/{SILENT}")).status == 200
    assert not server.butler.running
    assert (await ask(server, "DELETE", f"/butler/{SILENT}")).status == 404
    assert (await ask(server, "DELETE", "/butler/Nobody")).status == 404
    await server.advance(180)
    assert server.butler.history == [("started", SILENT), ("stopped", SILENT)]


async def test_item_goes_on_for_a_little_while_after_the_stop(server: SimulatedPlex) -> None:
    server.butler.start(INTROS)
    await server.advance(1)
    assert types(server)["media.generate.intros"] == 2
    assert (await ask(server, "DELETE", f"/butler/{INTROS}")).status == 200
    await server.advance(server.butler.lingering - 0.1)
    assert types(server)["media.generate.intros"] == 2
    await server.advance(0.2)
    assert types(server) == {"butler": 1}
    await server.advance(600)
    assert types(server) == {"butler": 1}


async def test_stop_all(server: SimulatedPlex) -> None:
    server.butler.start(SILENT)
    server.butler.start(INTROS)
    assert (await ask(server, "DELETE", "/butler")).status == 200
    assert not server.butler.running
    assert (await ask(server, "DELETE", "/butler")).status == 200
    await server.advance(600)
    assert types(server) == {"butler": 1}


async def test_stop_all_drops_what_is_queued() -> None:
    async with SimulatedPlex(start=MONDAY_NIGHT) as server:
        await ask(server, "POST", "/butler")
        assert server.butler.queued
        await ask(server, "DELETE", "/butler")
        assert not server.butler.queued
        before = started(server)
        await server.advance(3 * 3600)
        assert started(server) == before


# --- what a task shows


async def test_items_side_by_side_with_gaps(server: SimulatedPlex) -> None:
    server.butler.profiles[INTROS] = Profile(
        activity="media.generate.intros", items=4, item_seconds=60, gap_seconds=20, side_by_side=2
    )
    server.butler.start(INTROS)
    seen = []
    for _ in range(15):
        await server.advance(10)
        seen.append(types(server)["media.generate.intros"])
    assert seen == [2, 2, 2, 2, 2, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0]
    assert not server.butler.running


async def test_instant_task_shows_no_activity_of_its_own(server: SimulatedPlex) -> None:
    assert (await ask(server, "POST", "/butler/BackupDatabase")).status == 200
    assert types(server) == {"butler": 1}
    await server.advance(1)
    assert not server.butler.running


async def test_task_with_nothing_to_do_works_silently(server: SimulatedPlex) -> None:
    server.butler.profiles[INTROS].items = 0
    server.butler.start(INTROS)
    assert types(server) == {"butler": 1}
    await server.advance(60)
    assert not server.butler.running


async def test_row_tells_of_the_whole_work(server: SimulatedPlex) -> None:
    def progress() -> int:
        (row,) = (row for row in server.activities.rows() if row["type"] == "butler")
        assert row["uuid"] == uuid
        value: int = row["progress"]
        return value

    uuid = server.activities.rows()[0]["uuid"]
    assert progress() == 100
    server.butler.start("LoudnessAnalysis")
    assert progress() == 0
    await server.advance(60 + 45 + 60)
    assert progress() == 2 * 99 // 8
    server.butler.start(SILENT)
    assert progress() == 2 * 99 // 9
    server.butler.stop("LoudnessAnalysis")
    assert progress() == 0
    await server.advance(180)
    assert progress() == 100


async def test_stalling_task_freezes_everything_until_it_ends(server: SimulatedPlex) -> None:
    assert (await ask(server, "POST", "/butler/OptimizeDatabase")).status == 200
    waiting = [
        asyncio.create_task(ask(server, method, path))
        for method, path in (("GET", "/identity"), ("DELETE", "/butler/OptimizeDatabase"))
    ]
    done, _ = await asyncio.wait(waiting, timeout=0.1)
    assert not done
    assert server.silent
    await server.advance(1800)
    assert [(await answer).status for answer in waiting] == [200, 404]
    assert server.butler.history[-1] == ("finished", "OptimizeDatabase")


async def test_two_stalling_tasks_freeze_until_both_have_ended(server: SimulatedPlex) -> None:
    server.butler.profiles[SILENT] = Profile(duration=60, stalls=True)
    server.butler.start(SILENT)
    server.butler.start("OptimizeDatabase")
    await server.advance(60)
    assert server.silent
    await server.advance(1740)
    assert not server.silent


# --- the schedule


async def night(prepare: Callable[[SimulatedPlex], Any], hours: float = 24, **settings: Any) -> Any:
    """Return when what started, in hours since Monday's midnight, on a server with a schedule."""
    async with SimulatedPlex(start=datetime(2026, 11, 23), nightly=True, **settings) as server:
        only(server, SILENT, INTROS, "ProcessAssets")
        prepare(server)
        times, known = [], 0
        for quarter in range(round(hours * 4)):
            await server.advance(900)
            new = started(server)[known:]
            known += len(new)
            times += [((quarter + 1) / 4, name) for name in new]
        return times, server.butler.history


async def test_night_runs_the_due_tasks_one_after_the_other() -> None:
    def prepare(server: SimulatedPlex) -> None:
        server.butler.add_task("Weekly", interval=7)
        server.butler.add_task("Disabled", enabled=False)
        server.butler.profiles[SILENT] = Profile(duration=1800)

    times, history = await night(prepare, 48)
    first = [(2, INTROS), (2.25, SILENT), (2.75, "ProcessAssets")]
    assert times == [*first, *((24 + at, name) for at, name in first)]
    assert [what for what, _ in history] == ["started", "finished"] * 6


async def test_night_with_more_at_once() -> None:
    _, history = await night(lambda _: None, 3, at_once=2)
    assert history[:2] == [("started", INTROS), ("started", SILENT)]


async def test_window_that_closes_ends_what_the_night_began() -> None:
    def prepare(server: SimulatedPlex) -> None:
        server.butler.profiles[INTROS] = Profile(duration=86400)
        server.butler.profiles["Mine"] = Profile(duration=6 * 3600)
        server.butler.add_task("Mine", enabled=False)
        server.butler.start("Mine")

    _, history = await night(prepare)
    assert history == [
        ("started", "Mine"),
        ("started", INTROS),
        ("stopped", INTROS),
        ("finished", "Mine"),
    ]


async def test_stopped_task_makes_room_for_the_next_of_the_night() -> None:
    async with SimulatedPlex(start=datetime(2026, 11, 23), nightly=True) as server:
        only(server, SILENT, INTROS, "ProcessAssets")
        await server.advance(2 * 3600)
        assert server.butler.running == {INTROS}
        await ask(server, "DELETE", f"/butler/{INTROS}")
        assert server.butler.running == {SILENT}
        await ask(server, "DELETE", "/butler")
        assert not server.butler.running
        await server.advance(3 * 3600)
        assert started(server) == [INTROS, SILENT]


async def test_random_task_of_the_night_is_queued_inside_the_window() -> None:
    async with SimulatedPlex(start=datetime(2026, 11, 23), nightly=True) as server:
        only(server, "RefreshEpgGuides")
        await server.advance(2 * 3600)
        ((name, event),) = server.butler.queued.items()
        assert name == "RefreshEpgGuides"
        assert 2 <= event.at.hour < 5
        await server.advance(3 * 3600)
        assert started(server) == ["RefreshEpgGuides"]


@pytest.mark.parametrize(
    ("start", "end", "opens"),
    [(2, 5, {2}), (22, 4, {0, 22}), (0, 1, {0, 24}), (4, 4, set()), (23, 0, {23})],
)
async def test_window(start: int, end: int, opens: set[int]) -> None:
    async with SimulatedPlex(start=datetime(2026, 11, 22, 23, 30), nightly=True) as server:
        only(server, "BackupDatabase", "Each")
        server.butler.add_task("Each")
        hours = f"ButlerStartHour={start}&ButlerEndHour={end}"
        assert (await ask(server, "PUT", f"/:/prefs?{hours}")).status == 200
        begun, open_hours = set(), []
        # The window was moved around now: it opens at the next full hour.
        for hour in range(25):
            before = len(started(server))
            await server.advance(3600)  # to the half of each hour
            begun |= {hour} if "Each" in started(server)[before:] else set()
            left = server.preferences.seconds_left_in_window(server.clock.now)
            open_hours += [hour] if left else []
            assert left % 3600 == (1800 if left else 0)
        assert begun == opens
        inside = range(start, end) if start <= end else [*range(end), *range(start, 24)]
        assert {hour % 24 for hour in open_hours} == set(inside)


async def test_preference_decides_what_is_enabled(server: SimulatedPlex) -> None:
    async def enabled(name: str) -> bool:
        rows = (await ask(server, "GET", "/butler")).json()["ButlerTasks"]["ButlerTask"]
        return bool(next(row["enabled"] for row in rows if row["name"] == name))

    for name, path, expected in (
        ("BackupDatabase", "ButlerTaskBackupDatabase=0", False),
        ("BackupDatabase", "ButlerTaskBackupDatabase=1", True),
        ("BackupDatabase", "ButlerTaskBackupDatabase=false", False),
        ("BackupDatabase", "ButlerTaskBackupDatabase=true", True),
        ("LoudnessAnalysis", "LoudnessAnalysisBehavior=never", False),
        ("LoudnessAnalysis", "LoudnessAnalysisBehavior=asap", True),
        ("BackupDatabase", "butlerTaskBackupDatabase=0", True),
        ("BackupDatabase", "ButlerStartHour=later", True),
    ):
        assert (await ask(server, "PUT", f"/:/prefs?{path}")).status == 200
        assert await enabled(name) is expected
    assert server.preferences.values["ButlerStartHour"] == 2


# --- users


async def test_behavior_never_keeps_a_task_from_running(server: SimulatedPlex) -> None:
    """Even if it is started by its name, which is answered with 200."""
    bif = "GenerateMediaIndexFiles"
    assert server.preferences.values["GenerateBIFBehavior"] == "never"
    # The switch of that name changes nothing.
    server.change_preferences({"ButlerTaskGenerateMediaIndexFiles": "1"})
    assert not server.butler.tasks[bif].enabled
    assert (await ask(server, "POST", f"/butler/{bif}")).status == 200
    assert not server.butler.running
    assert (await ask(server, "DELETE", f"/butler/{bif}")).status == 404
    for behavior in ("scheduled", "asap"):
        server.change_preferences({"GenerateBIFBehavior": behavior})
        assert (await ask(server, "POST", f"/butler/{bif}")).status == 200
        assert (await ask(server, "POST", f"/butler/{bif}")).status == 202
        # What runs goes on.
        server.change_preferences({"GenerateBIFBehavior": "never"})
        assert (await ask(server, "POST", f"/butler/{bif}")).status == 202
        assert (await ask(server, "DELETE", f"/butler/{bif}")).status == 200


async def behaviors(server: SimulatedPlex) -> set[str]:
    rows = (await ask(server, "GET", "/:/prefs")).json()["MediaContainer"]["Setting"]
    return {row["id"] for row in rows if row["id"].endswith("Behavior")}


@pytest.mark.parametrize("switches", [{"plex_pass": False}, {"claimed": False}], ids=str)
async def test_behaviors_that_come_with_a_plex_pass(switches: dict[str, bool]) -> None:
    few = {"GenerateBIFBehavior", "GenerateChapterThumbBehavior", "LoudnessAnalysisBehavior"}
    async with SimulatedPlex(**switches) as server:  # type: ignore[arg-type]
        assert await behaviors(server) == few
        path = "/:/prefs/get?id=MusicAnalysisBehavior"
        assert (await ask(server, "GET", path)).status == 404
        root = (await ask(server, "GET", "/")).json()["MediaContainer"]
        assert root["myPlexSubscription"] is False
        assert (await ask(server, "PUT", "/:/prefs?MusicAnalysisBehavior=never")).status == 200
        assert server.preferences.values["MusicAnalysisBehavior"] == "scheduled"
        assert server.butler.start("MusicAnalysis") == 200
        assert server.butler.running == {"MusicAnalysis"}
        server.claim()
        assert len(await behaviors(server)) == (8 if "claimed" in switches else 3)


async def test_users_work_looks_like_maintenance_and_is_none(server: SimulatedPlex) -> None:
    users = server.users
    users.scan_library(items=2, item_seconds=2)
    await server.advance(1)
    assert types(server) == {
        "library.update.section": 1,
        "library.update.item.metadata": 1,
        "butler": 1,
    }
    users.add_episode(seconds=10)
    users.open_item_page()
    users.refresh_guide(seconds=10)
    users.dvr_noise()
    users.play()
    users.remote_access_flaps()
    assert types(server).keys() >= {
        "media.generate.intros",
        "library.refresh.items",
        "provider.epg.load",
    }
    assert types(server)["provider.subscriptions.process"] == 0
    await server.advance(10)
    (row,) = server.activities.rows()
    assert (row["type"], row["progress"]) == ("butler", 100)
    assert not server.butler.history


async def test_scan_dies_with_the_server(server: SimulatedPlex) -> None:
    server.users.scan_library(items=5)
    await server.advance(1)
    await server.restart()
    await server.advance(2)
    assert types(server) == {"butler": 1}


async def test_activity_is_cancelled_if_it_can_be(server: SimulatedPlex) -> None:
    server.users.add_episode()
    cancellable = server.activities.begin("provider.subscriptions.process", "", cancellable=True)
    episode, _, row = (row["uuid"] for row in server.activities.rows())
    for uuid, status in (
        (cancellable.uuid, 200),
        (cancellable.uuid, 404),
        (episode, 400),
        (row, 400),
        ("nobody", 404),
    ):
        assert (await ask(server, "DELETE", f"/activities/{uuid}")).status == status
    assert [row["uuid"] for row in server.activities.rows()] == [episode, row]


# --- who may do what


async def test_owner_shared_user_and_stranger(server: SimulatedPlex) -> None:
    statuses = {
        ("GET", "/identity"): (200, 200, 200, 200),
        ("GET", "/"): (200, 200, 401, 401),
        ("GET", "/activities"): (200, 200, 401, 401),
        ("GET", "/butler"): (200, 403, 401, 401),
        ("POST", "/butler"): (200, 403, 401, 401),
        ("DELETE", "/butler"): (200, 403, 401, 401),
        ("POST", "/butler/Nobody"): (404, 403, 401, 401),
        ("DELETE", "/butler/Nobody"): (404, 403, 401, 401),
        ("GET", "/:/prefs"): (200, 403, 401, 401),
        ("PUT", "/:/prefs?FriendlyName=x"): (200, 403, 401, 401),
        ("DELETE", "/activities/nobody"): (404, 403, 401, 401),
        ("GET", "/nowhere"): (404, 404, 401, 401),
    }
    tokens = (server.owner_token, server.shared_token, "bogus", "")
    for (method, path), expected in statuses.items():
        got = [(await ask(server, method, path, token=token)).status for token in tokens]
        assert tuple(got) == expected, f"{method} {path}"


async def test_shared_user_sees_no_work_of_the_owner(server: SimulatedPlex) -> None:
    server.butler.start(INTROS)
    answer = await ask(server, "GET", "/activities", token=server.shared_token)
    assert answer.json() == {"MediaContainer": {"size": 0}}
    root = await ask(server, "GET", "/", token=server.shared_token)
    keys = {row["key"] for row in root.json()["MediaContainer"]["Directory"]}
    assert "butler" not in keys
    assert "activities" in keys


async def test_token_in_the_query(server: SimulatedPlex) -> None:
    path = f"/butler?X-Plex-Token={server.owner_token}"
    assert (await ask(server, "GET", path, token="")).status == 200
    assert (await ask(server, "GET", "/butler?X-Plex-Token=bogus", token="")).status == 401
    assert server.requests[0].query == {"X-Plex-Token": server.owner_token}
    assert server.requests[0].path == "/butler"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("plex.example.org:32400", 401),
        ("nas", 401),
        ("192.168.1.5:32400", 200),
        ("localhost:32400", 200),
        ("[::1]:32400", 200),
        ("[::1]", 200),
        ("127.0.0.1", 200),
    ],
)
async def test_unclaimed_server_lets_in_whoever_does_not_call_it_by_name(
    host: str, status: int
) -> None:
    async with SimulatedPlex(claimed=False) as server:
        assert (await ask(server, "GET", "/butler", token="", Host=host)).status == status
        assert (await ask(server, "GET", "/identity", token="", Host=host)).status == 200
        assert (await ask(server, "GET", "/", token="", Host=host)).status == status


async def test_claimed_server_may_be_called_by_name(server: SimulatedPlex) -> None:
    assert (await ask(server, "GET", "/butler", Host="plex.example.org")).status == 200


async def test_claim(server: SimulatedPlex) -> None:
    async with SimulatedPlex(claimed=False) as unclaimed:
        assert not (await ask(unclaimed, "GET", "/identity")).json()["MediaContainer"]["claimed"]
        assert (await ask(unclaimed, "GET", "/butler", token="")).status == 200
        unclaimed.claim()
        assert (await ask(unclaimed, "GET", "/butler", token="")).status == 401
        assert (await ask(unclaimed, "GET", "/butler")).status == 200
        assert (await ask(unclaimed, "GET", "/identity")).json()["MediaContainer"]["claimed"]


@pytest.mark.parametrize(
    ("networks", "status"),
    [("127.0.0.0/8", 200), ("10.0.0.1, 127.0.0.1", 200), ("10.0.0.0/8", 401), ("nonsense,", 401)],
)
async def test_allowed_networks(networks: str, status: int) -> None:
    async with SimulatedPlex(allowed_networks=networks) as server:
        assert (await ask(server, "GET", "/butler", token="")).status == status
        assert (await ask(server, "GET", "/butler", token="bogus")).status == 401
        await ask(server, "PUT", "/:/prefs?allowedNetworks=127.0.0.1")
        assert (await ask(server, "GET", "/butler", token="")).status == 200


async def test_revoked_token(server: SimulatedPlex) -> None:
    old = server.owner_token
    new = server.auth.revoke()
    assert (await ask(server, "GET", "/butler", token=old)).status == 401
    assert (await ask(server, "GET", "/butler", token=new)).status == 200
    assert {old, new, server.shared_token} == server.tokens


# --- the process


async def test_restart_kills_what_runs(server: SimulatedPlex) -> None:
    url, row = server.url, server.activities.rows()[-1]["uuid"]
    await ask(server, "PUT", "/:/prefs?ButlerStartHour=1")
    server.butler.start(INTROS)
    server.butler.start("OptimizeDatabase")
    await server.advance(1)
    await server.restart()
    assert server.url == url
    assert not server.butler.running
    answer = await ask(server, "GET", "/activities")
    ((only_row),) = answer.json()["MediaContainer"]["Activity"]
    assert (only_row["uuid"], only_row["progress"]) == (row, 100)
    await server.advance(3600)
    assert server.butler.history == [("started", INTROS), ("started", "OptimizeDatabase")]
    assert server.preferences.values["ButlerStartHour"] == 1


async def test_off_and_on_again(server: SimulatedPlex) -> None:
    server.butler.start(SILENT)
    await server.stop_listening()
    with pytest.raises(OSError, match="onnect"):
        await ask(server, "GET", "/identity")
    await server.stop_listening()
    await server.listen()
    await server.listen()
    assert (await ask(server, "GET", "/identity", accept=XML)).status == 200
    assert server.butler.running == {SILENT}


async def test_requests_are_recorded(server: SimulatedPlex) -> None:
    await ask(server, "GET", "/identity", token="")
    await ask(server, "POST", "/butler/Nobody")
    server.faults.drop_reply = True
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await ask(server, "POST", f"/butler/{SILENT}")
    assert [(r.method, r.path, r.status) for r in server.requests] == [
        ("GET", "/identity", 200),
        ("POST", "/butler/Nobody", 404),
        ("POST", f"/butler/{SILENT}", None),
    ]
    assert "x-plex-token" not in server.requests[0].headers
    assert server.requests[1].headers["x-plex-token"] == server.owner_token


async def test_clock_at_speed() -> None:
    async with SimulatedPlex(speed=10_000) as server:
        server.butler.start(INTROS)
        async with asyncio.timeout(5):
            while server.butler.running:
                await asyncio.sleep(0.01)
        assert server.clock.now >= MONDAY_EVENING + timedelta(seconds=220)
        assert types(server) == {"butler": 1}


async def test_switches_can_be_given_at_the_start() -> None:
    async with SimulatedPlex(faults=Faults(maintenance=True)) as server:
        assert (await ask(server, "GET", "/identity")).status == 503
