"""The colours of the bird's-eye view."""

Colour = tuple[int, int, int]

GROUND = (224, 230, 217)
ROAD = (202, 207, 205)
ASPHALT = (178, 184, 192)
KERB = (140, 147, 157)
MARKING = (255, 255, 255)
INK = (38, 43, 51)
TRAIL = (122, 92, 150)
BODY = (250, 250, 248)
GLASS = (150, 172, 190)
ROUTE = (157, 174, 198)
VEHICLE_BODY = (74, 98, 138)
STANDING_BODY = (146, 153, 166)
CYCLIST_BODY = (0, 158, 115)
PEDESTRIAN_BODY = (240, 165, 0)
HIT = (214, 0, 88)
LAMPS = ((214, 32, 32), (250, 196, 24), (24, 168, 72))
"""Colours of a light by its state: red, yellow, green."""
LAMP_OFF = (92, 98, 108)
SIGN = (190, 24, 34)
PANEL = (255, 255, 255, 215)
