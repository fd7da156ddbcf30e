"""Maps with hills."""

import math
import re

import carla

SPACING = 5.0
"""Of the heights along a road [m]."""


def height(x: float, y: float) -> float:
    """Of the hills at a place in CARLA's frame [m]: ±35 m, slopes up to 40 %."""
    return 20.0 * math.sin(x / 90.0) + 15.0 * math.cos(y / 80.0)


def hilly(text: str) -> str:
    """An OpenDRIVE map with hills under it; the one given is flat."""
    flat = carla.Map("flat", text)

    def with_heights(road: re.Match) -> str:
        number, length = int(re.search(r'\bid="(\d+)"', road[1])[1]), float(re.search(r'length="([^"]+)"', road[1])[1])
        lanes = [int(lane) for lane in re.findall(r'<lane id="(-?\d+)" type="driving"', road[0])]
        at, heights = [], []
        for k in range(math.ceil(length / SPACING) + 1):
            s = min(k * SPACING, length - 0.01)
            found = next((w for lane in lanes if (w := flat.get_waypoint_xodr(number, lane, s))), None)
            if found is not None:
                at.append(s)
                heights.append(height(found.transform.location.x, found.transform.location.y))
        profile = "".join(
            f'<elevation s="{s}" a="{z}" b="{(after_z - z) / (after_s - s)}" c="0" d="0"/>'
            for s, z, after_s, after_z in zip(at, heights, at[1:], heights[1:], strict=False)
        )
        if not profile:
            return road[0]
        return re.sub(
            r"<elevationProfile>.*?</elevationProfile>",
            f"<elevationProfile>{profile}</elevationProfile>",
            road[0],
            flags=re.S,
        )

    return re.sub(r"(<road [^>]*>).*?</road>", with_heights, text, flags=re.S)
