"""The Butler tasks of a simulated server, and how each of them behaves when it runs.

Names are those that were seen on a live server in 2026; intervals and what is enabled follow a
real server's report. Nobody has published the titles, so they are made from the names, all but
that of BackupDatabase. How long tasks take and which activities they show is chosen to be like
what was observed; it is no fact about any one server.
"""

from dataclasses import dataclass
import re
from typing import Final


@dataclass(slots=True)
class Profile:
    """What a task does when it runs. Times are simulated seconds.

    Without an `activity`, or without any `items`, it works silently for `duration`. With one it goes through `items`,
    `side_by_side` at a time, each `item_seconds` long and `gap_seconds` apart. `stalls` is a task
    during which the server answers nothing.
    """

    duration: float = 60
    activity: str | None = None
    items: int = 3
    item_seconds: float = 60
    gap_seconds: float = 0
    side_by_side: int = 1
    stalls: bool = False


@dataclass(slots=True)
class Task:
    """A row of `GET /butler`, and the preference that enables it, if one does."""

    name: str
    interval: int = 1
    enabled: bool = True
    title: str = ""
    description: str = ""
    schedule_randomized: bool = False
    preference: str | None = None

    def __post_init__(self) -> None:
        """Make the texts that nobody has published."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name.removeprefix("ButlerTask"))
        self.title = self.title or words
        self.description = self.description or f"{words} (simulated)"


UNKNOWN_TASK: Final = Task("ButlerTaskPolishSilverware", 30)
"""What the next version of a server might bring."""


def tasks() -> dict[str, Task]:
    """Return a server's tasks by name, in its order."""
    rows = (
        Task("AutomaticUpdates", schedule_randomized=True),
        Task(
            "BackupDatabase",
            3,
            description=(
                "Create a backup copy of the server's database in the configured backup directory"
            ),
            preference="ButlerTaskBackupDatabase",
        ),
        Task("ButlerTaskCleanSupplementalLogFiles", 7),
        Task("ButlerTaskGenerateAdMarkers", preference="GenerateAdMarkerBehavior"),
        Task("ButlerTaskGenerateCreditsMarkers", preference="GenerateCreditsMarkerBehavior"),
        Task("ButlerTaskGenerateIntroMarkers", preference="GenerateIntroMarkerBehavior"),
        Task("ButlerTaskGenerateVoiceActivity", enabled=False, preference="GenerateVADBehavior"),
        Task("CleanOldBundles", 7, preference="ButlerTaskCleanOldBundles"),
        Task("CleanOldCacheFiles", 7, preference="ButlerTaskCleanOldCacheFiles"),
        Task("DeepMediaAnalysis", preference="ButlerTaskDeepMediaAnalysis"),
        Task("GarbageCollectBlobs", 7, preference="ButlerTaskGarbageCollectBlobs"),
        Task("GarbageCollectLibraryMedia", 7),
        Task("GenerateChapterThumbs", preference="GenerateChapterThumbBehavior"),
        Task("GenerateMediaIndexFiles", enabled=False, preference="GenerateBIFBehavior"),
        Task("LoudnessAnalysis", preference="LoudnessAnalysisBehavior"),
        Task("MusicAnalysis", preference="MusicAnalysisBehavior"),
        Task("OptimizeDatabase", 7, preference="ButlerTaskOptimizeDatabase"),
        Task("ProcessAssets"),
        Task("RefreshEpgGuides", schedule_randomized=True, preference="ButlerTaskRefreshEpgGuides"),
        Task("RefreshLibraries", enabled=False, preference="ButlerTaskRefreshLibraries"),
        Task("RefreshLocalMedia", 3, preference="ButlerTaskRefreshLocalMedia"),
        Task("UpgradeMediaAnalysis", preference="ButlerTaskUpgradeMediaAnalysis"),
    )
    return {row.name: row for row in rows}


def profiles() -> dict[str, Profile]:
    """Return how the tasks behave on a server of some size; the others work a minute, silently."""
    return {
        "BackupDatabase": Profile(duration=0.1),
        "ButlerTaskGenerateCreditsMarkers": Profile(activity="media.generate.credits", items=6),
        "ButlerTaskGenerateIntroMarkers": Profile(
            activity="media.generate.intros", items=6, side_by_side=2, gap_seconds=20
        ),
        "ButlerTaskGenerateVoiceActivity": Profile(activity="media.generate.voice.activity"),
        "DeepMediaAnalysis": Profile(duration=180),
        "GenerateChapterThumbs": Profile(
            activity="media.generate.chapter.thumbs", items=2, item_seconds=5
        ),
        "GenerateMediaIndexFiles": Profile(activity="media.generate.bif", item_seconds=300),
        "LoudnessAnalysis": Profile(activity="media.generate.loudness", items=8, gap_seconds=45),
        "MusicAnalysis": Profile(activity="media.generate.music.analysis"),
        "OptimizeDatabase": Profile(duration=1800, stalls=True),
        "RefreshEpgGuides": Profile(activity="provider.epg.load", items=1, item_seconds=90),
        "RefreshLibraries": Profile(activity="library.update.section", items=4, item_seconds=30),
        "RefreshLocalMedia": Profile(
            activity="library.update.item.metadata", items=30, item_seconds=10
        ),
        "UpgradeMediaAnalysis": Profile(duration=0.1),
    }


def demo_profiles() -> dict[str, Profile]:
    """Return profiles that are pleasant to play with at real speed."""
    return profiles() | {
        "BackupDatabase": Profile(duration=20),
        "ButlerTaskGenerateCreditsMarkers": Profile(
            activity="media.generate.credits", items=5, item_seconds=20
        ),
        "ButlerTaskGenerateIntroMarkers": Profile(
            activity="media.generate.intros",
            items=6,
            item_seconds=15,
            gap_seconds=5,
            side_by_side=2,
        ),
        "LoudnessAnalysis": Profile(
            activity="media.generate.loudness", items=4, item_seconds=20, gap_seconds=10
        ),
        "OptimizeDatabase": Profile(duration=45, stalls=True),
        "RefreshEpgGuides": Profile(activity="provider.epg.load", items=1, item_seconds=40),
    }
