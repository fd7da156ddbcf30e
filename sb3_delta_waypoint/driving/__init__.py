"""Driving in numbers: routes, vehicle, tracker, expert, reward and metrics, as functions about one car."""
