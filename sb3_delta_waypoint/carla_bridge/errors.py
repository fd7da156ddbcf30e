"""Errors of a CARLA server, as opposed to wrong arguments and bad driving."""


class CarlaError(RuntimeError):
    """Base class of errors of the server, which say nothing about the driving."""


class ServerUnreachableError(CarlaError):
    """There is no server, or it does not answer."""


class ServerVersionError(CarlaError):
    """The server is of another version than the client, so that they would misread each other."""


class ServerLostError(CarlaError):
    """The server died, stalled, was restarted or was taken over by another client while it was in use."""


class SpawnPointOccupiedError(CarlaError):
    """The place where a vehicle should be placed is occupied."""


class NoRoutesError(CarlaError, ValueError):
    """The map or the file of routes has no route."""
