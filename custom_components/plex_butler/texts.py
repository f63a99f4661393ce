"""Texts that Home Assistant shows as they are: in the system's language, as far as translated.

They may be asked for in any thread: the logbook does so in one of the recorder's.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN
from .runs.models import USER, EndedRun, Origin, Run
from .runs.tasks import BY_NAME


def text(hass: HomeAssistant, key: str, placeholders: Mapping[str, str] | None = None) -> str:
    """Return a text of the category "common"."""
    return _translated(hass, "common", key).format_map(placeholders or {})


def task_name(hass: HomeAssistant, task: str, title: str | None = None) -> str:
    """Return the name of a task as its switch has it: of one that is not known the server's title."""
    if known := BY_NAME.get(task):
        return _translated(hass, "entity", f"{SWITCH_DOMAIN}.{known.key}.name")
    return title or task


def run_text(hass: HomeAssistant, run: Run | EndedRun) -> str:
    """Return in sentences what is known of a run, whose times are shown beside it."""
    return " ".join(_sentences(hass, run))


def _sentences(hass: HomeAssistant, run: Run | EndedRun) -> Iterator[str]:
    if isinstance(run, Run):
        yield text(hass, "run_goes_on")
    elif run.duration is not None:
        yield text(hass, f"run_{run.outcome}_after", {"duration": duration_text(run.duration)})
    else:
        yield text(hass, f"run_{run.outcome}")
    if not run.start_known:
        yield text(hass, "run_start_not_seen")
    yield text(hass, "run_plex_log" if run.plex_log else f"run_{run.known_by}")
    if author := _author(hass, run.started_by):
        yield text(hass, "run_started_by", {"author": author})
    elif run.ours and run.start_known:
        yield text(hass, "run_ours")
    elif not run.ours:
        yield text(hass, "run_not_ours")
    if isinstance(run, EndedRun) and (author := _author(hass, run.stopped_by)):
        yield text(hass, "run_stopped_by", {"author": author})


def _author(hass: HomeAssistant, origin: Origin | None) -> str | None:
    """Return who asked for something in words; not the name of a user."""
    author = origin.author if origin else None
    if author == USER:
        return text(hass, "user")
    state = hass.states.get(author) if author else None
    return state.name if state else author


def _translated(hass: HomeAssistant, category: str, key: str) -> str:
    key = f"component.{DOMAIN}.{category}.{key}"
    # Another language is loaded a moment after it was chosen. English is always there.
    for language in (hass.config.language, "en"):
        texts = async_get_cached_translations(hass, language, category, DOMAIN)
        if found := texts.get(key):
            return found
    return key


def duration_text(duration: timedelta) -> str:
    """Return a duration in the two largest of its units, whose symbols are the same everywhere."""
    if duration < timedelta(seconds=1):
        return f"{duration.total_seconds():.1f} s"
    seconds = round(duration.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes:
        return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"
    return f"{seconds} s"
