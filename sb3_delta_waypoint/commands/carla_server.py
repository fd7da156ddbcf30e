"""``sb3-delta-waypoint carla-server``: the loopback server in the foreground."""

from pathlib import Path

import click

from sb3_delta_waypoint.commands.command import command, option


@command()
@option("--port", default=2000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@option("--host", default="127.0.0.1", show_default=True, metavar="NAME", help="Address to listen on.")
@option(
    "--map",
    "maps",
    multiple=True,
    metavar="FILE…",
    type=click.Path(path_type=Path),
    help="OpenDRIVE maps (.xodr): the first is loaded, all can be by client.load_world.  [default: a small town]",
)
@option(
    "--fps",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0.0, min_open=True),
    help="Steps per simulated second where the client does not say.",
)
def carla_server(port: int, host: str, maps: tuple[Path, ...], fps: float) -> None:
    """
    Serve the CARLA client without CARLA: a kinematic stand-in, for tests and development.

    Runs until Ctrl-C. It is not CARLA: nothing measured on it is a CARLA result. It supports only clients of carla 0.9.16.
    """
    from sb3_delta_waypoint.carla_bridge.loopback.road_map import map_readers
    from sb3_delta_waypoint.carla_bridge.loopback.run import exit_on_signals, warm_up
    from sb3_delta_waypoint.carla_bridge.loopback.server import Server
    from sb3_delta_waypoint.carla_bridge.loopback.wire import check_wire_version

    check_wire_version()
    readers = map_readers(maps)
    exit_on_signals()
    warm_up()
    server = Server(readers, fps, port, host)
    click.echo(f"loopback server: {server.simulator.world.road_map.name} on {host}:{server.port} (Ctrl-C ends it)")
    server.run()
