"""What Home Assistant's frontend does for a user, in the words of its pages."""

from typing import Any

from .connection import TIMEOUT, Connection, Json


class Watch:
    """The states that one entity takes from now on, each to be met once and in order."""

    def __init__(self, frontend: Frontend, entity_id: str) -> None:
        """Start to watch."""
        self.entity_id = entity_id
        self._frontend = frontend
        self._position = len(frontend.changes)

    async def becomes(self, state: str, *, within: float = TIMEOUT) -> Json:
        """Wait for the next change to this state and return it whole.

        Raises:
            AssertionError: It did not come in time; the text has what came instead.
        """
        came: list[str] = []

        def next_change() -> Json | None:
            for change in self._frontend.changes[self._position :]:
                self._position += 1
                if change["entity_id"] == self.entity_id:
                    came.append(change["state"])
                    if change["state"] == state:
                        return change
            return None

        try:
            return await self._frontend.wait_for(next_change, within=within)
        except TimeoutError:
            raise AssertionError(f"{self.entity_id} became {came}, not {state!r}") from None


class Frontend(Connection):
    """One browser tab."""

    async def start_flow(self, handler: str, **context: str) -> Json:
        """Start a config flow, as *Add integration* does, and return its first form."""
        content = {"handler": handler, "show_advanced_options": False, **context}
        result: Json = await self.post("/api/config/config_entries/flow", json=content)
        return result

    async def continue_flow(self, flow_id: str, user_input: Json) -> Json:
        """Submit a form and return what comes next: a form, an entry or an abort."""
        path = f"/api/config/config_entries/flow/{flow_id}"
        result: Json = await self.post(path, json=user_input)
        return result

    async def configure(self, entry_id: str) -> Json:
        """Open the options of a config entry, and return their first form."""
        path = "/api/config/config_entries/options/flow"
        result: Json = await self.post(path, json={"handler": entry_id})
        return result

    async def continue_options(self, flow_id: str, user_input: Json) -> Json:
        """Submit a form of the options and return what comes next."""
        path = f"/api/config/config_entries/options/flow/{flow_id}"
        result: Json = await self.post(path, json=user_input)
        return result

    async def error_of(self, form: Json) -> str | None:
        """Return the error that a form shows, in words; None if it shows none."""
        if not form.get("errors"):
            return None
        domain, key = form["handler"], next(iter(form["errors"].values()))
        texts = await self.translations(domain, "config")
        text: str = texts.get(f"component.{domain}.config.error.{key}", key)
        for name, value in (form["description_placeholders"] or {}).items():
            text = text.replace(f"{{{name}}}", value)
        return text

    async def enable(self, *entity_ids: str) -> None:
        """Enable entities, and wait until Home Assistant has reloaded their entry (30 seconds)."""
        for name in entity_ids:
            await self.command("config/entity_registry/update", entity_id=name, disabled_by=None)

        def are_there() -> bool | None:
            shown = [self.states.get(name, {}).get("state") for name in entity_ids]
            return not {None, "unavailable"} & {*shown} or None

        # Until then they are shown as unavailable.
        await self.wait_for(are_there, within=45)

    async def remove_entry(self, entry_id: str) -> None:
        """Remove a config entry."""
        await self.request("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    async def diagnostics(self, entry_id: str) -> Json:
        """Download a config entry's diagnostics."""
        path = f"/api/diagnostics/config_entry/{entry_id}"
        result: Json = await self.request("GET", path)
        return result

    async def call(self, action: str, /, target: str | None = None, **data: Any) -> None:
        """Perform an action such as `switch.turn_on`, on an entity or with data."""
        await self.command("call_service", **self._call(action, target, data))

    async def ask(self, action: str, /, target: str | None = None, **data: Any) -> Any:
        """Perform an action and return its response."""
        call = self._call(action, target, data)
        return (await self.command("call_service", **call, return_response=True))["response"]

    def _call(self, action: str, target: str | None, data: Json) -> Json:
        domain, service = action.split(".")
        call: Json = {"domain": domain, "service": service, "service_data": data}
        return call | ({"target": {"entity_id": target}} if target else {})

    async def save(self, kind: str, key: str, **config: Any) -> str:
        """Save an `automation` or a `script` as its editor does; return its entity when it is there."""
        await self.post(f"/api/config/{kind}/config/{key}", json=config)

        def there() -> str | None:
            for name, state in self.states.items():
                if name == f"{kind}.{key}" or state["attributes"].get("id") == key:
                    return name
            return None

        return await self.wait_for(there)

    async def offered(self, kind: str, domain: str) -> dict[str, Json]:
        """Return the fields of what the automation editor offers of an integration.

        `kind` is `trigger` or `condition`.
        """
        offers: list[dict[str, Json]] = []
        await self.subscribe(offers.append, f"{kind}_platforms/subscribe")
        offer = await self.wait_for(lambda: offers[0] if offers else None)
        return {
            name: about["fields"] for name, about in offer.items() if name.startswith(f"{domain}.")
        }

    async def offered_for(self, kind: str, target: Json, domain: str) -> set[str]:
        """Return what the automation editor offers of an integration *By target*."""
        listed: list[str] = await self.command(f"get_{kind}s_for_target", target=target)
        return {name for name in listed if name.startswith(f"{domain}.")}

    async def entry_in(self, state: str, domain: str) -> Json:
        """Wait until a config entry of an integration is in a state, and return it."""
        entries: list[Json] = []

        def note(changes: list[Json]) -> None:
            entries.extend(change["entry"] for change in changes)

        await self.subscribe(note, "config_entries/subscribe")

        def look() -> Json | None:
            for entry in entries:
                if (entry["domain"], entry["state"]) == (domain, state):
                    return entry
            return None

        return await self.wait_for(look)

    async def entries(self, domain: str) -> list[Json]:
        """List the config entries of an integration."""
        entries: list[Json] = await self.command("config_entries/get", domain=domain)
        return entries

    async def entities(self, platform: str) -> dict[str, Json]:
        """List the registered entities of an integration, by entity id."""
        entities: list[Json] = await self.command("config/entity_registry/list")
        return {item["entity_id"]: item for item in entities if item["platform"] == platform}

    async def devices(self, domain: str) -> list[Json]:
        """List the devices of an integration."""
        devices: list[Json] = await self.command("config/device_registry/list")
        return [item for item in devices if any(key[0] == domain for key in item["identifiers"])]

    async def flows(self, domain: str) -> list[Json]:
        """List the config flows of an integration that are not over."""
        flows: list[Json] = await self.command("config_entries/flow/progress")
        return [flow for flow in flows if flow["handler"] == domain]

    async def issues(self, domain: str) -> list[Json]:
        """List the repair issues of an integration."""
        issues: list[Json] = (await self.command("repairs/list_issues"))["issues"]
        return [issue for issue in issues if issue["domain"] == domain]

    async def icons(self, domain: str, category: str) -> Json:
        """Return an integration's icons of a category."""
        answer = await self.command("frontend/get_icons", category=category, integration=[domain])
        icons: Json = answer["resources"][domain]
        return icons

    async def translations(self, domain: str, category: str) -> dict[str, str]:
        """Return an integration's English texts, by their full keys."""
        answer = await self.command(
            "frontend/get_translations", language="en", category=category, integration=[domain]
        )
        texts: dict[str, str] = answer["resources"]
        return texts

    def watch(self, entity_id: str) -> Watch:
        """Watch an entity from now on."""
        return Watch(self, entity_id)
