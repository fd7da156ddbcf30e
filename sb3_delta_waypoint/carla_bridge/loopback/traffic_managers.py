"""What clients ask a server about traffic managers, which run in clients: only who runs one at which port."""

from collections.abc import Callable
from typing import Any


def traffic_manager_calls() -> dict[str, Callable[..., Any]]:
    """
    :return: the calls of a server that keeps a list of traffic managers, by their names on the wire
    """
    addresses: dict[int, list[Any]] = {}

    def is_traffic_manager_running(port: int) -> bool:
        return port in addresses

    def get_traffic_manager_running(port: int) -> list[Any]:
        if port not in addresses:
            raise ValueError(f"there is no traffic manager at port {port}")
        return addresses[port]

    def add_traffic_manager_running(address: list[Any]) -> bool:
        """Address and port; False where there is one already."""
        _, port = address
        return addresses.setdefault(port, address) is address

    def destroy_traffic_manager(port: int) -> bool:
        return addresses.pop(port, None) is not None

    calls = (
        is_traffic_manager_running,
        get_traffic_manager_running,
        add_traffic_manager_running,
        destroy_traffic_manager,
    )
    return {call.__name__: call for call in calls}
