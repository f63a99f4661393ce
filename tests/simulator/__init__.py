"""A Plex Media Server to develop against, on 127.0.0.1.

It behaves like a real server where it is known how one behaves (`/identity`, `/`, `/butler`,
`/activities`, the notification stream and `/:/prefs`, in JSON and XML), and every quirk and
fault is a switch in `Faults`. It runs alone (`python -m tests.simulator`) and in tests:

    async with SimulatedPlex() as server:
        ...  # server.url, server.owner_token
        await server.advance(60)  # a minute passes for it
"""

from .faults import Faults
from .server import Recorded, SimulatedPlex
from .tasks import Profile, Task, demo_profiles

__all__ = ["Faults", "Profile", "Recorded", "SimulatedPlex", "Task", "demo_profiles"]
