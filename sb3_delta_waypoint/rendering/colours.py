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
PANEL = (255, 255, 255, 215)
