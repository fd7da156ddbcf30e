"""Actors: the data about them that clients get, apart from their state."""

from typing import Any


class Actor:
    """An actor as described to clients; its state is in the arrays of the world, at ``row``."""

    __slots__ = ("id", "name", "parent", "row", "stream", "wire", "box", "attributes")

    def __init__(
        self, actor_id: int, description: list[Any], box: list[Any], tag: bytes, parent: int, stream: bytes, row: int
    ):
        self.id = actor_id
        self.name: str = description[1]
        self.attributes = {name: value for name, _, value in description[2]}
        self.parent = parent
        self.row = row
        self.box = box
        self.stream = int.from_bytes(stream[:4], "little")
        self.wire = [actor_id, parent, description, box, tag, stream]
