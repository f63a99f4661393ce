"""What the demo keeps from one run to the next: its servers' addresses and tokens."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import secrets
import shutil
from typing import Final, Self

from tests.live.process import free_port

MAIN: Final = "Cellar"
"""The server that the demo's Home Assistant has."""
IDENTIFIERS: Final = {
    MAIN: "e004a7de" + "0" * 32,
    "Attic": "1" * 40,
    "Barn": "2" * 40,
    "Shed": "3" * 40,
}
"""The servers by their names, with their machine identifiers."""
_FILE: Final = "kept.json"


@dataclass(frozen=True, slots=True)
class KeptServer:
    """One simulated server."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Kept:
    """All that the configuration folder refers to."""

    servers: Mapping[str, KeptServer]
    control_port: int
    webhook_id: str

    @property
    def ports(self) -> Iterator[int]:
        """The ports on which something has to listen."""
        yield self.control_port
        yield from (server.port for server in self.servers.values())

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return what an earlier run has kept; a folder without it is emptied, and begun anew."""
        file = folder / _FILE
        if file.exists():
            stored = json.loads(file.read_text())
            servers = {name: KeptServer(**server) for name, server in stored.pop("servers").items()}
            return cls(servers, **stored)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        kept = cls(
            {name: KeptServer(free_port(), secrets.token_urlsafe(15)) for name in IDENTIFIERS},
            free_port(),
            secrets.token_hex(32),
        )
        file.write_text(json.dumps(asdict(kept)))
        return kept
