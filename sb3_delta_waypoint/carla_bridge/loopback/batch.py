"""Batches of commands, each of which is carried out as a call."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from sb3_delta_waypoint.carla_bridge.loopback.arguments import check, optional

CallTable = Mapping[str, Callable[..., Any]]
"""Calls by their names on the wire."""

CALLS = {
    2: "apply_control_to_vehicle",
    4: "apply_control_to_walker",
    5: "apply_physics_control",
    6: "set_actor_transform",
    8: "set_actor_target_velocity",
    9: "set_actor_target_angular_velocity",
    14: "set_actor_simulate_physics",
    15: "set_actor_enable_gravity",
    16: "set_actor_autopilot",
    19: "set_actor_location",
}
"""Call for each command number on the wire; it has the command's arguments, with the actor's id first."""

COMMAND = ((int, [Any]),)
"""Shape of a command: its number and its arguments."""


def apply_batch(calls: CallTable, commands: list[Any]) -> list[Any]:
    """
    Carry out commands one after another; a command that fails does not stop the rest.

    :param calls: the calls of the server
    :param commands: commands, each ``[[number, arguments]]``
    :return: for each command the id of its actor, ``[[1, id]]``, or its error, ``[[0, [message]]]``
    """
    results: list[Any] = []
    for command in commands:
        try:
            check(command, COMMAND, "command")
            ((number, arguments),) = command
            if number == 0:
                results.append([[1, _spawn(calls, arguments)]])
            else:
                _apply(calls, number, arguments)
                results.append([[1, arguments[0]]])
        except (ValueError, LookupError) as error:
            results.append([[0, [str(error)]]])
    return results


def _spawn(calls: CallTable, arguments: list[Any]) -> int:
    check(arguments, (Any, Any, optional(int), Any, Any, [COMMAND]), "SpawnActor")
    description, transform, parent, _, _, then = arguments
    if parent[0]:
        actor = calls["spawn_actor_with_parent"](description, transform, parent[1])
    else:
        actor = calls["spawn_actor"](description, transform)
    actor_id: int = actor[0]
    for ((number, rest),) in then:
        # the command was written before the actor had an id
        _apply(calls, number, [actor_id, *rest[1:]])
    return actor_id


def _apply(calls: CallTable, number: int, arguments: list[Any]) -> None:
    if number == 1:
        if not calls["destroy_actor"](*arguments):
            raise ValueError(f"unable to destroy actor {arguments[0]}: not found")
    elif number == 7:
        check(arguments, (Any, Any, Any), "ApplyWalkerState")
        actor_id, transform, speed = arguments
        calls["set_actor_transform"](actor_id, transform)
        yaw = math.radians(transform[1][1])
        calls["apply_control_to_walker"](actor_id, [[math.cos(yaw), math.sin(yaw), 0.0], speed, False])
    elif number == 18:
        check(arguments, (Any, Any), "SetVehicleLightState")
        calls["set_vehicle_light_state"](arguments[0], arguments[1:])
    elif number in CALLS:
        calls[CALLS[number]](*arguments)
    else:
        raise ValueError(f"the loopback server does not know command {number}")
