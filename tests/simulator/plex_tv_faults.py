"""Every fault of the simulated plex.tv: switches, at start and while it runs."""

from dataclasses import dataclass


@dataclass(slots=True)
class PlexTvFaults:
    """What plex.tv does that is not as one would wish."""

    only_at: str = ""
    """All of it only at the paths that end so."""
    bad_gateway: bool = False
    """502 in HTML. For refused connections there is `stop_listening`."""
    rate_limited: bool = False
    """429 for everything."""
    retry_after: str | None = "30"
    """The Retry-After of a 429."""
    slow: float = 0
    """Real seconds before each answer."""
    empty_reply: bool = False
    """Connections are closed without a byte."""
    redirect_to: str | None = None
    """A 302 to this address for everything."""
    garbage: bytes | None = None
    """These bytes and a 200 for everything."""
    strings: bool = False
    """Numbers and booleans in JSON are strings."""
    always_xml: bool = False
    """Accept is ignored."""
    no_plex_pass: bool = False
    """403 with the code 1043 for webhooks."""
    webhooks_lost: bool = False
    """A list of webhooks is accepted, and the old one kept."""
    created: int = 201
    """The status that a new PIN gets."""
