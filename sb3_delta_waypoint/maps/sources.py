"""Roads by the names that users give: map files, synthetic towns, several of them with weights."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from sb3_delta_waypoint.driving.lanes import DERIVED, Lanes, indexed
from sb3_delta_waypoint.driving.network import MapShares, RoadNetwork, validate_network
from sb3_delta_waypoint.maps.opendrive_lanes import load_lanes
from sb3_delta_waypoint.maps.synthetic import synthetic_lanes
from sb3_delta_waypoint.messages import short_repr

Source = str | Path | Lanes
"""One source of roads: an OpenDRIVE file, ``synthetic:SEED``, ``synthetic:FIRST-LAST``, or lanes."""
Routes = Source | Sequence[Source] | Mapping[str | Path, float]
"""One source of roads, or several, equally weighted or with their weights."""

SYNTHETIC = "synthetic:"
MAX_MAPS = 256
"""Largest number of maps that are joined."""
MAP_GAP = 250.0
"""Distance between maps that are joined [m]: nobody sees from one to the other."""
ACCEPTED = f"an OpenDRIVE map, {SYNTHETIC}SEED or {SYNTHETIC}FIRST-LAST"


class Roads(NamedTuple):
    """
    Lanes of one map, or of several that do not touch one another.

    :param lanes: the lanes of all maps
    :param shares: the maps and how often each is drawn
    """

    lanes: Lanes
    shares: MapShares


class _Map(NamedTuple):
    """A map by what it is read from: a name, and when the file was changed or the seed of a synthetic town."""

    name: str
    changed: float = 0.0
    seed: int = -1


def roads_of(routes: Routes) -> Roads:
    """
    Read or generate the roads that an env's argument names.

    Maps are read once per process. Several are joined; a source's weight is shared equally by its maps.

    :param routes: an OpenDRIVE file (``Town01.xodr``); ``synthetic:7`` for the synthetic town of this seed; ``synthetic:0-9``
        for ten of them; lanes; a sequence of such sources, equally weighted; or a mapping of sources to weights
    :return: the roads
    :raises FileNotFoundError: if there is no such map
    :raises ImportError: if a map needs a package that is not installed
    :raises ValueError: for a map without a driving lane, a name that is no source, a weight that is negative or not finite,
        no weight above 0, no source, or too many maps
    """
    weighted: list[tuple[_Map | Lanes, float]] = []
    for source, weight in _weighted(routes):
        maps = _maps(source)
        weighted += [(one, weight / len(maps)) for one in maps]
        if len(weighted) > MAX_MAPS:
            raise ValueError(f"routes={short_repr(routes)}: more than {MAX_MAPS} maps; name fewer")
    weights = tuple(weight for _, weight in weighted)
    named = tuple(one for one, _ in weighted if isinstance(one, _Map))
    return _kept(named, weights) if len(named) == len(weighted) else _joined([one for one, _ in weighted], weights)


def _weighted(routes: Routes) -> list[tuple[Source, float]]:
    if isinstance(routes, str | Path | Lanes):
        return [(routes, 1.0)]
    if isinstance(routes, RoadNetwork):
        raise ValueError("routes: a road network has no lanes; make lanes of it with driving.lanes.make_lanes")
    if isinstance(routes, Mapping):
        for source, weight in routes.items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0.0 <= weight < math.inf:
                raise ValueError(f"routes: the weight of {short_repr(source)} is {short_repr(weight)}; it must be at least 0")
        if routes and not 0.0 < sum(routes.values()) < math.inf:
            raise ValueError(f"routes={short_repr(dict(routes))}: the weights must add up to more than 0, and be finite")
        # what is never drawn need not be read
        found: list[tuple[Source, float]] = [(source, float(weight)) for source, weight in routes.items() if weight > 0.0]
    elif isinstance(routes, Sequence):
        found = [(source, 1.0) for source in cast(Sequence[Source], routes)]
    else:
        raise ValueError(f"routes={short_repr(routes)}: expected {ACCEPTED}, lanes, or several of them")
    if not found:
        raise ValueError(f"routes={short_repr(routes)} names no roads; expected {ACCEPTED}, or several of them")
    return found


def _maps(source: Source) -> list[_Map] | list[Lanes]:
    if isinstance(source, Lanes):
        validate_network(source.network)
        return [source]
    if not isinstance(source, str | Path):
        raise ValueError(f"routes: {short_repr(source)} names no roads; expected {ACCEPTED}, or lanes")
    if str(source).startswith(SYNTHETIC):
        seeds = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", str(source).removeprefix(SYNTHETIC))
        first, last = (int(seeds[1]), int(seeds[2] or seeds[1])) if seeds else (0, -1)
        if last < first:
            raise ValueError(
                f"routes: {short_repr(source)}: expected {SYNTHETIC}SEED or {SYNTHETIC}FIRST-LAST, as in {SYNTHETIC}0-9"
            )
        if last - first >= MAX_MAPS:
            raise ValueError(f"routes: {short_repr(source)} names {last - first + 1} towns; at most {MAX_MAPS} are joined")
        return [_Map(f"{SYNTHETIC}{seed}", seed=seed) for seed in range(first, last + 1)]
    if str(source).endswith(".json"):
        raise ValueError(f"routes: {short_repr(source)}: recorded episodes have no lanes; expected {ACCEPTED}")
    path = Path(source).resolve()
    return [_Map(str(path), path.stat().st_mtime if path.exists() else 0.0)]


@lru_cache(maxsize=MAX_MAPS)
def _lanes(one: _Map) -> Lanes:
    return load_lanes(one.name) if one.seed < 0 else synthetic_lanes(one.seed)


@lru_cache(maxsize=8)
def _kept(maps: tuple[_Map, ...], weights: tuple[float, ...]) -> Roads:
    return _joined(maps, weights)


def _joined(maps: Sequence[_Map | Lanes], weights: tuple[float, ...]) -> Roads:
    lanes = [_lanes(one) if isinstance(one, _Map) else one for one in maps]
    names = tuple(one.name if isinstance(one, _Map) else f"map {number}" for number, one in enumerate(maps))
    counts = [one.network.n_segments for one in lanes]
    shares = MapShares(names, weights, tuple(int(count) for count in np.append(0, np.cumsum(counts))))
    return Roads(join(lanes), shares)


def join(maps: Sequence[Lanes]) -> Lanes:
    """
    Join maps that do not touch one another, side by side along x. The first stays where it is.

    :param maps: the lanes of each
    :return: the lanes of all, in their order
    """
    if len(maps) == 1:
        return maps[0]
    moved: list[Lanes] = []
    points = segments = lights = junctions = successors = conflicts = 0
    corner = maps[0].network.points.min(axis=0)
    for lanes in maps:
        network = lanes.network
        shift = corner - network.points.min(axis=0)
        crossings, its_lights, its_conflicts = lanes.crossings.copy(), lanes.lights.copy(), lanes.conflicts.copy()
        for name, by in (("x", shift[0]), ("to_x", shift[0]), ("y", shift[1]), ("to_y", shift[1])):
            crossings[name] += by
        its_lights["junction"] += junctions
        its_conflicts["other"] += segments
        moved.append(
            lanes._replace(
                network=RoadNetwork(
                    network.points + shift,
                    network.speeds,
                    network.offsets[min(len(moved), 1) :] + points,
                    network.successor_offsets[min(len(moved), 1) :] + successors,
                    network.successors + segments,
                ),
                segment_of=lanes.segment_of + segments,
                left=np.where(lanes.left < 0, -1, lanes.left + points),
                right=np.where(lanes.right < 0, -1, lanes.right + points),
                stop_light=np.where(lanes.stop_light < 0, -1, lanes.stop_light + lights),
                lights=its_lights,
                crossings=crossings,
                conflict_offsets=lanes.conflict_offsets[min(len(moved), 1) :] + conflicts,
                conflicts=its_conflicts,
            )
        )
        corner[0] += np.ptp(network.points[:, 0]) + MAP_GAP
        points, segments = points + len(network.points), segments + network.n_segments
        lights, junctions = lights + len(lanes.lights), junctions + int(lanes.lights["junction"].max(initial=-1)) + 1
        successors, conflicts = successors + len(network.successors), conflicts + len(lanes.conflicts)
    network = RoadNetwork(*(np.concatenate(arrays) for arrays in zip(*(lanes.network for lanes in moved), strict=True)))
    arrays = {
        name: np.concatenate([getattr(lanes, name) for lanes in moved])
        for name in Lanes._fields
        if name not in ("network", *DERIVED)
    }
    return indexed(network, **arrays)
