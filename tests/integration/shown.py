"""What Home Assistant shows of a server, and how often the server was asked for it."""

from tests.conftest import House
from tests.simulator import SimulatedPlex


def polls(server: SimulatedPlex) -> int:
    """Count how often the activities were asked for."""
    return sum(request.path == "/activities" for request in server.requests)


def maintenance(house: House, server: SimulatedPlex) -> str:
    """Return the state of *Maintenance*."""
    return house.state(server, "binary_sensor", "maintenance").state


def running(house: House, server: SimulatedPlex) -> list[str]:
    """Return the tasks that *Current task* lists."""
    tasks: list[str] = house.state(server, "sensor", "current_task").attributes["tasks"]
    return tasks
