"""The server's list of traffic managers, which run in clients: the address of each, by its port."""

from collections.abc import Callable
from typing import Annotated, Any

from sb3_delta_waypoint.carla_bridge.loopback.arguments import Wire

Port = Annotated[int, range(1 << 16)]
Address = Annotated[Wire, (str, range(1 << 16))]
"""Host and port."""


def traffic_manager_calls() -> dict[str, Callable[..., Any]]:
    """
    Make the calls of a server that keeps a list of traffic managers.

    :return: the calls by their names on the wire
    """
    addresses: dict[int, Wire] = {}

    def is_traffic_manager_running(port: Port) -> bool:
        return port in addresses

    def get_traffic_manager_running(port: Port) -> Wire:
        if port not in addresses:
            raise ValueError(f"there is no traffic manager at port {port}")
        return addresses[port]

    def add_traffic_manager_running(address: Address) -> bool:
        """Add a traffic manager; false if there is one at its port already."""
        _, port = address
        return addresses.setdefault(port, address) is address

    def destroy_traffic_manager(port: Port) -> bool:
        return addresses.pop(port, None) is not None

    calls = (
        is_traffic_manager_running,
        get_traffic_manager_running,
        add_traffic_manager_running,
        destroy_traffic_manager,
    )
    return {call.__name__: call for call in calls}
