"""
Script that samples the lanes of an OpenDRIVE text with ``carla.Map``, with JSON on stdin and stdout.

``carla.Map`` crashes the process on many damaged maps (a missing planView, a link to a lane that does not exist), so it
runs in a separate process. This file imports nothing of the package, so that the script starts within 50 ms.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

SAMPLE_SPACING = 0.5
"""Distance between samples along the road [m], for an error of 1 cm in the tightest junction turn, R = 2.7 m."""
INSIDE = 1e-3
"""Distance of samples from the ends of a lane section [m]: ``carla.Map`` takes s as float32."""
MAX_MEMORY = 4 << 30
"""Largest memory of the process [bytes]."""
PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that the kernel sends when the parent dies."""


def sample_lanes(text: str, sections: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """
    Sample the driving lanes of each lane section, and find their successors.

    :param text: OpenDRIVE text
    :param sections: for each road id its lane sections, ``{"begin": s, "end": s, "lanes": [ids of driving lanes]}``, metres
    :return: ``lanes``: list of ``{"road": id, "s": [...], "x": [...], "y": [...], "width": [...]}`` in driving order, in
        CARLA's left-handed frame, metres; ``successors``: for each lane the indices of the lanes that follow; ``crossings``:
        list of outlines ``[[x, y], ...]`` of pedestrian crossings
    """
    import carla

    road_map = carla.Map("map", text)
    lanes: list[dict[str, Any]] = []
    index: dict[tuple[int, int, int], int] = {}
    # not from get_topology, which omits some lanes that end in a dead end
    for road in sections:
        for number, section in enumerate(sections[road]):
            for lane in section["lanes"]:
                index[int(road), number, lane] = len(lanes)
                lanes.append({"road": int(road), **_sample(road_map, int(road), lane, section["begin"], section["end"])})

    successors: list[set[int]] = [set() for _ in lanes]
    for waypoint, following in road_map.get_topology():
        end = index.get((waypoint.road_id, waypoint.section_id, waypoint.lane_id))
        start = index.get((following.road_id, following.section_id, following.lane_id))
        # for a dead end the topology gives the end of the lane itself
        if end is not None and start is not None and abs(following.s - lanes[start]["s"][0]) < 4 * INSIDE:
            successors[end].add(start)
    return {
        "lanes": lanes,
        "successors": [sorted(following) for following in successors],
        "crossings": _outlines([[corner.x, corner.y] for corner in road_map.get_crosswalks()]),
    }


def _outlines(corners: list[list[float]]) -> list[list[list[float]]]:
    """Outlines from their corners in one list, in which each outline ends with its first corner."""
    outlines: list[list[list[float]]] = []
    begun: list[list[float]] = []
    for corner in corners:
        if begun and corner == begun[0]:
            outlines.append(begun)
            begun = []
        else:
            begun.append(corner)
    return outlines


def _sample(road_map: Any, road: int, lane: int, begin: float, end: float) -> dict[str, list[float]]:
    """Sample the centre line of a lane within a lane section, in driving direction."""
    if end - begin < 4 * INSIDE:  # too short for two distinct samples; lanes without length are bypassed
        return {"s": [begin, end], "x": [0.0, 0.0], "y": [0.0, 0.0], "width": [0.0, 0.0]}
    steps = max(1, round((end - begin) / SAMPLE_SPACING))
    samples: dict[str, list[float]] = {"s": [], "x": [], "y": [], "width": []}
    for step in range(steps + 1):
        s = begin + INSIDE + (end - begin - 2 * INSIDE) * step / steps
        waypoint = road_map.get_waypoint_xodr(road, lane, s)
        if waypoint is None:
            raise RuntimeError(f"road {road} has no lane {lane} at {s:.3f} m")
        location = waypoint.transform.location
        for key, value in (("s", s), ("x", location.x), ("y", location.y), ("width", waypoint.lane_width)):
            samples[key].append(value)
    if against_the_road(waypoint):
        samples = {key: values[::-1] for key, values in samples.items()}
    return samples


def against_the_road(waypoint: Any) -> bool:
    """
    Whether a lane runs against the direction of its road.

    :param waypoint: ``carla.Waypoint`` on the lane
    :return: whether it does, as left lanes (positive ids) do in right-hand traffic
    """
    return bool((waypoint.lane_id < 0) != waypoint.is_rht)


def _bound_to(parent: int) -> None:
    """Limit the memory of this process, and let it end with its parent."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard), hard))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent ended before the call
        sys.exit("nobody waits for the answer")


if __name__ == "__main__":
    _bound_to(int(sys.argv[1]))
    # carla writes warnings to stdout
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        json.dump(sample_lanes(request["text"], request["sections"]), answer)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
