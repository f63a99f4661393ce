"""Looks up every text that a test shows, as the frontend and Home Assistant's own check do."""

from collections.abc import Callable, Iterator, Mapping
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowHandler, FlowManager, FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.issue_registry import IssueRegistry
import pytest

from custom_components.plex_butler import texts as shown_texts
from custom_components.plex_butler.config_flow import PlexButlerConfigFlow
from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.options_flow import PlexButlerOptionsFlow
from custom_components.plex_butler.plex import PlexError
from custom_components.plex_butler.repairs import WebhookLeftFlow
from tests.repository import load

PARTS: Final = ("common", "config", "exceptions", "issues", "options")
"""The parts of the texts of which each has to be shown by a test."""
_PLACEHOLDER: Final = re.compile(r"{(\w+)")
_WITH_STEP: Final = (FlowResultType.FORM, FlowResultType.MENU, FlowResultType.EXTERNAL_STEP)


def texts(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Walk through all strings of a JSON document."""
    for key, value in node.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, str):
            yield where, value
        else:
            yield from texts(value, where)


class Texts:
    """The texts of the integration, what was shown of them, and what was wrong with that."""

    def __init__(self) -> None:
        """Initialize; nothing was shown yet."""
        self.all = dict(texts(load("translations/en.json")))
        self.shown: set[str] = set()
        self.wrong: list[str] = []

    def show(self, path: str, values: Mapping[str, Any] | None) -> None:
        """Show a text with the values of its placeholders."""
        if (text := self.all.get(path)) is None:
            self.wrong.append(f"{path} is missing")
            return
        self.shown.add(path)
        # An exception may quote what a user has left empty; the flow fills in what it knows itself.
        nothing = ("", None) if path.startswith(("config.", "options.")) else (None,)
        wanted = set(_PLACEHOLDER.findall(text))
        unfilled = {name for name in wanted if (values or {}).get(name) in nothing}
        if unfilled:
            self.wrong.append(f"{path}: nothing is given for {sorted(unfilled)}")

    def show_flow(self, part: str, result: Mapping[str, Any]) -> None:
        """Show what the frontend shows of a step of the config flow, or of the options flow."""
        kind, values = result["type"], result.get("description_placeholders")
        if kind is FlowResultType.ABORT:
            self.show(f"{part}.abort.{result['reason']}", values)
        elif kind is FlowResultType.SHOW_PROGRESS:
            self.show(f"{part}.progress.{result['progress_action']}", values)
        elif kind in _WITH_STEP:
            step = f"{part}.step.{result['step_id']}"
            # The frontend gives the title of a menu no values.
            self.show(f"{step}.title", None if kind is FlowResultType.MENU else values)
            self.show(f"{step}.description", values)
            for option in result.get("menu_options") or ():
                self.show(f"{step}.menu_options.{option}", values)
                self.show(f"{step}.menu_option_descriptions.{option}", values)
            schema = result.get("data_schema") if kind is FlowResultType.FORM else None
            for field in schema.schema if schema else ():
                self.show(f"{step}.data.{field}", values)
                self.show(f"{step}.data_description.{field}", values)
            for error in (result.get("errors") or {}).values():
                self.show(f"{part}.error.{error}", values)

    def unused(self, shown: set[str]) -> list[str]:
        """Return the texts that were never shown.

        Every error of a server is told in the same way, so that its key alone leads to its text.
        """
        keys = {error.key for error in _errors(PlexError) if hasattr(error, "key")}
        told = {f"exceptions.{key}{kind}.message" for key in keys for kind in ("", "_poll")}
        return sorted(
            path for path in self.all if path.startswith(PARTS) and path not in shown | told
        )


def _errors(kind: type[PlexError]) -> Iterator[type[PlexError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _errors(each)


TEXTS: Final = Texts()
"""What the tests of this process have shown."""


FLOWS: Final[dict[type, str]] = {
    PlexButlerConfigFlow: "config",
    PlexButlerOptionsFlow: "options",
    WebhookLeftFlow: "issues.webhook_left.fix_flow",
}
"""The parts of the translations from which each of our flows takes its texts."""


def watch(patch: pytest.MonkeyPatch) -> None:
    """Look at every flow result, exception and repair issue from now on."""
    handle: Callable[..., Any] = FlowManager._async_handle_step
    initialize: Callable[..., Any] = HomeAssistantError.__init__
    create: Callable[..., Any] = IssueRegistry.async_get_or_create
    translate: Callable[..., str] = shown_texts._translated

    async def watched_handle(
        self: Any, flow: FlowHandler[Any, Any, Any], *args: Any, **options: Any
    ) -> Any:
        result = await handle(self, flow, *args, **options)
        if part := FLOWS.get(type(flow)):
            TEXTS.show_flow(part, result)
        return result

    def watched_initialize(self: Any, *args: Any, **options: Any) -> None:
        initialize(self, *args, **options)
        if options.get("translation_domain") == DOMAIN:
            path = f"exceptions.{options['translation_key']}.message"
            TEXTS.show(path, options.get("translation_placeholders"))

    def watched_create(self: Any, domain: str, issue_id: str, **options: Any) -> Any:
        if domain == DOMAIN:
            fix = ("fix_flow.step.confirm.title", "fix_flow.step.confirm.description")
            for part in ("title", *(fix if options["is_fixable"] else ("description",))):
                path = f"issues.{options['translation_key']}.{part}"
                TEXTS.show(path, options.get("translation_placeholders"))
        return create(self, domain, issue_id, **options)

    def watched_text(hass: HomeAssistant, category: str, key: str) -> str:
        if category == "common":
            TEXTS.shown.add(f"common.{key}")
        return translate(hass, category, key)

    patch.setattr(shown_texts, "_translated", watched_text)
    patch.setattr(FlowManager, "_async_handle_step", watched_handle)
    patch.setattr(HomeAssistantError, "__init__", watched_initialize)
    patch.setattr(IssueRegistry, "async_get_or_create", watched_create)
