"""The rows of the simulated plex.tv: devices, their connections, and the account itself."""

from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any

from yarl import URL

from . import wire


def connection(
    uri: str,
    *,
    address: str | None = None,
    local: bool = True,
    relay: bool = False,
) -> dict[str, Any]:
    """Return one connection of a server; the address is that of the URI if none is given."""
    url = URL(uri)
    host = address or url.host or ""
    return {
        "protocol": url.scheme,
        "address": host,
        "port": url.port,
        "uri": uri,
        "local": local,
        "relay": relay,
        "IPv6": ":" in host,
    }


def plex_direct(address: str, hash_: str, *, port: int = 32400, **fields: Any) -> dict[str, Any]:
    """Return a connection by Plex's own name for an address."""
    name = (
        IPv6Address(address).exploded.replace(":", "-")
        if ":" in address
        else address.replace(".", "-")
    )
    return connection(f"https://{name}.{hash_}.plex.direct:{port}", address=address, **fields)


def device(
    name: str, machine_identifier: str, token: str | None, /, *, owned: bool = True, **fields: Any
) -> dict[str, Any]:
    """Return a server as plex.tv lists it, with what else is given in place of the usual."""
    return {
        "name": name,
        "product": "Plex Media Server",
        "productVersion": "1.43.4.10903-e5521bd8c",
        "platform": "Linux",
        "platformVersion": "12 (bookworm)",
        "device": "PC",
        "clientIdentifier": machine_identifier,
        "createdAt": "2015-04-16T10:55:40Z",
        "lastSeenAt": "2026-11-23T19:00:00Z",
        "provides": "server",
        "ownerId": None if owned else 7,
        "sourceTitle": None if owned else "somebody",
        "publicAddress": "192.0.2.40",
        "accessToken": token,
        "owned": owned,
        "home": False,
        "synced": False,
        "relay": True,
        "presence": True,
        "httpsRequired": False,
        "publicAddressMatches": True,
        "dnsRebindingProtection": False,
        "natLoopbackSupported": True,
        "connections": [],
    } | fields


def player() -> dict[str, Any]:
    """Return a television, which every account has."""
    return device(
        "Television",
        "a10e4083-player",
        "",
        product="Plex for Apple TV",
        provides="client,player,pubsub-player,provider-playback",
        connections=[connection("http://192.0.2.6:32500")],
    )


def resources_of(devices: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the devices with those of their connections that were asked for.

    Without `includeHttps` a connection is told by its address and http.
    """

    def told(row: dict[str, Any]) -> dict[str, Any]:
        if query.get("includeHttps") == "1":
            return row
        host = f"[{row['address']}]" if row["IPv6"] else row["address"]
        return row | {"protocol": "http", "uri": f"http://{host}:{row['port']}"}

    def asked_for(row: dict[str, Any]) -> bool:
        return (query.get("includeRelay") == "1" or not row["relay"]) and (
            query.get("includeIPv6") == "1" or not row["IPv6"]
        )

    return [
        row | {"connections": [told(each) for each in row["connections"] if asked_for(each)]}
        for row in devices
    ]


def user(token: str) -> dict[str, Any]:
    """Return the account."""
    return {
        "id": 1,
        "uuid": "0123456789abcdef",
        "username": "owner",
        "title": "owner",
        "email": "owner@example.org",
        "friendlyName": "",
        "confirmed": True,
        "joinedAt": 1429174540,
        "authToken": token,
        "scrobbleTypes": "",
        "subscription": {"active": True, "status": "Active", "plan": "lifetime"},
        "profile": {
            "autoSelectAudio": True,
            "autoSelectSubtitle": 0,
            "defaultAudioLanguage": None,
            "defaultSubtitleLanguage": None,
        },
    }


def xml_of(root: str, answer: Any) -> bytes:
    """Return the XML of an answer: lists have an element of their own around them."""
    match root:
        case "resources":
            rows = [row | {"connections": {"connection": row["connections"]}} for row in answer]
            return wire.as_xml(root, {"resource": rows})
        case "webhooks":
            return wire.as_xml(root, {"webhook": answer})
        case "errors":
            return wire.as_xml(root, {"error": answer["errors"]})
        case _:
            return wire.as_xml(root, answer, empty="/>")
