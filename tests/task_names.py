"""The tasks that the tests are about, by the names that Plex gives them."""

from typing import Final

BACKUP: Final = "BackupDatabase"
DEEP: Final = "DeepMediaAnalysis"
INTROS: Final = "ButlerTaskGenerateIntroMarkers"
LOUDNESS: Final = "LoudnessAnalysis"
OPTIMIZE: Final = "OptimizeDatabase"
SCAN: Final = "RefreshLibraries"
THUMBS: Final = "GenerateChapterThumbs"
