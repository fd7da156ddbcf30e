"""What can go wrong with a CARLA server, as opposed to wrong arguments and bad driving."""


class CarlaError(RuntimeError):
    """Something is the matter with the server, not with the driving."""


class ServerUnreachableError(CarlaError):
    """There is no server, or what is there does not answer."""


class ServerVersionError(CarlaError):
    """The server is of another version than the client: they would misread each other."""


class ServerLostError(CarlaError):
    """The server died, stalled, was restarted or was taken over by somebody else while it was in use."""


class SpawnPointOccupiedError(CarlaError):
    """Something stands where a vehicle is to be put."""


class NoRoutesError(CarlaError, ValueError):
    """The map, or the list of routes, has nothing to drive on."""
