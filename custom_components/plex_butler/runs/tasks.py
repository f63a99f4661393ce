"""The one table of what is known about Butler tasks.

The list of tasks always comes from the server; this table only adds to it. The names were seen on
live servers and are in OpenAPI. Which activity belongs to which task is inferred from the type of
the activity.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class KnownTask:
    """What is known about one task.

    `name`: the server's name, as in requests.
    `key`: the name in translations, icons, drop-downs and responses.
    `activity_type`: the type of the activities that this task alone causes.
    `ambiguous_types`: the types of those that users cause as well.
    `keeps_server_busy`: the server may answer nothing while the task runs (reported by users).
    `end_in_log`: the server's log says when the task has ended, and how.
    """

    name: str
    key: str
    activity_type: str | None = None
    ambiguous_types: frozenset[str] = frozenset()
    keeps_server_busy: bool = False
    end_in_log: bool = False
    enabled_by_default: bool = True

    @property
    def types(self) -> frozenset[str]:
        """Return the types of all activities that the task can cause."""
        return self.ambiguous_types | ({self.activity_type} if self.activity_type else set())


BACKUP: Final = "BackupDatabase"
OPTIMIZE: Final = "OptimizeDatabase"

_SCAN = "library.update.section"
_METADATA = "library.update.item.metadata"

KNOWN_TASKS: Final = (
    # May restart the server: its controls are disabled until somebody enables them.
    KnownTask("AutomaticUpdates", "automatic_updates", enabled_by_default=False),
    KnownTask(BACKUP, "backup_database", end_in_log=True),
    KnownTask("BuildGracenoteCollections", "build_gracenote_collections"),
    KnownTask("ButlerTaskCleanSupplementalLogFiles", "clean_supplemental_log_files"),
    KnownTask("ButlerTaskGenerateAdMarkers", "generate_ad_markers"),
    KnownTask(
        "ButlerTaskGenerateCreditsMarkers", "generate_credits_markers", "media.generate.credits"
    ),
    KnownTask("ButlerTaskGenerateIntroMarkers", "generate_intro_markers", "media.generate.intros"),
    KnownTask(
        "ButlerTaskGenerateVoiceActivity",
        "generate_voice_activity",
        "media.generate.voice.activity",
    ),
    KnownTask("CheckForUpdates", "check_for_updates"),
    KnownTask("CleanOldBundles", "clean_old_bundles"),
    KnownTask("CleanOldCacheFiles", "clean_old_cache_files"),
    KnownTask("DeepMediaAnalysis", "deep_media_analysis"),
    KnownTask("GarbageCollectBlobs", "garbage_collect_blobs"),
    KnownTask("GarbageCollectLibraryMedia", "garbage_collect_library_media"),
    KnownTask("GenerateAutoTags", "generate_auto_tags"),
    KnownTask("GenerateBlurHashes", "generate_blur_hashes"),
    KnownTask("GenerateChapterThumbs", "generate_chapter_thumbs", "media.generate.chapter.thumbs"),
    KnownTask("GenerateMediaIndexFiles", "generate_media_index_files", "media.generate.bif"),
    KnownTask("LoudnessAnalysis", "loudness_analysis", "media.generate.loudness"),
    KnownTask("MusicAnalysis", "music_analysis", "media.generate.music.analysis"),
    KnownTask(OPTIMIZE, "optimize_database", keeps_server_busy=True, end_in_log=True),
    KnownTask("ProcessAssets", "process_assets"),
    KnownTask("RefreshEpgGuides", "refresh_epg_guides", "provider.epg.load"),
    KnownTask(
        "RefreshLibraries", "refresh_libraries", ambiguous_types=frozenset({_SCAN, _METADATA})
    ),
    KnownTask("RefreshLocalMedia", "refresh_local_media", ambiguous_types=frozenset({_METADATA})),
    KnownTask(
        "RefreshPeriodicMetadata",
        "refresh_periodic_metadata",
        ambiguous_types=frozenset({_METADATA}),
    ),
    KnownTask("UpgradeMediaAnalysis", "upgrade_media_analysis"),
)

BY_NAME: Final = {task.name: task for task in KNOWN_TASKS}
BY_ACTIVITY_TYPE: Final = {task.activity_type: task for task in KNOWN_TASKS if task.activity_type}
BY_AMBIGUOUS_TYPE: Final = {
    type_: tuple(task for task in KNOWN_TASKS if type_ in task.ambiguous_types)
    for type_ in sorted({type_ for task in KNOWN_TASKS for type_ in task.ambiguous_types})
}


_KEYS: Final = frozenset(task.key for task in KNOWN_TASKS)


def task_key(name: str) -> str:
    """Return the key of a task: its own if it is known, the server's name otherwise.

    A task whose name is the key of a known one gets a key that differs from it.
    """
    if known := BY_NAME.get(name):
        return known.key
    return f"task_{name}" if name in _KEYS else name


def is_among(name: str, wanted: Container[str]) -> bool:
    """Return whether a task is one of those that a user chose, by their keys or names."""
    return task_key(name) in wanted or (name in wanted and name not in _KEYS)
