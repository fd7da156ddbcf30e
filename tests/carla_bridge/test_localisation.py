"""Position from GNSS, compass and speedometer."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.carla_bridge.localisation import GNSS_DEVIATION, Localiser, projection_through, yaw_of_compass


def drive(localiser, rng, seconds, speed, turn_rate, noise=GNSS_DEVIATION, start=(10.0, -20.0, 0.3)):
    """Drive an arc at 20 Hz; the distance between the true and the estimated position after each tick."""
    x, y, yaw = start
    errors = []
    for _ in range(int(seconds * 20)):
        heading = yaw + 0.5 * turn_rate / 20
        yaw += turn_rate / 20
        x, y = x + speed / 20 * math.cos(heading), y + speed / 20 * math.sin(heading)
        fix = np.array([x, y]) + rng.normal(0.0, noise, 2)
        estimate = localiser.update((fix[0], fix[1]), yaw, speed / 20)
        errors.append(math.dist(estimate[:2], (x, y)))
    return np.array(errors)


@pytest.mark.parametrize(("speed", "turn_rate"), [(8.0, 0.0), (5.0, 0.3), (0.0, 0.0)])
def test_far_better_than_a_fix(speed, turn_rate):
    errors = drive(Localiser((10.0, -20.0, 0.3)), np.random.default_rng(1), 30.0, speed, turn_rate)
    assert errors[100:].mean() < 0.2 and errors.max() < 1.0
    assert 2.5 * errors[100:].mean() < GNSS_DEVIATION


def test_a_wrong_start_is_mended():
    errors = drive(Localiser((11.0, -18.5, 0.3)), np.random.default_rng(2), 20.0, 8.0, 0.0)
    assert errors[0] > 0.5 and errors[200:].mean() < 0.2


def test_a_compass_that_has_not_settled_is_left_out():
    localiser = Localiser((0.0, 0.0, 0.5))
    assert localiser.update((0.0, 0.0), math.nan, 0.0)[2] == 0.5
    assert localiser.update((0.0, 0.0), 0.7, 0.0)[2] == 0.7


def test_compass():
    # CARLA: north is -y, its yaw turns clockwise; a car along +x has the compass at east
    assert yaw_of_compass(math.pi / 2) == pytest.approx(0.0)
    assert yaw_of_compass(0.0) == pytest.approx(math.pi / 2)
    assert math.cos(yaw_of_compass(3 * math.pi / 2)) == pytest.approx(-1.0)


@pytest.mark.parametrize("reference", [(0.0, 0.0), (42.0, 2.0), (-33.0, 151.0)])
def test_projection_through_the_global_plan(reference):
    """The formula is that of the leaderboard's plans: Mercator on a sphere, scaled at the reference's latitude."""
    scale = 6378137.0 * math.cos(math.radians(reference[0]))

    def to_gps(x, y):
        north = scale * math.log(math.tan(math.radians(90.0 + reference[0]) / 2.0)) + y
        latitude = math.degrees(2.0 * math.atan(math.exp(north / scale))) - 90.0
        return latitude, reference[1] + math.degrees(x / scale)

    points = [(10.0, -50.0), (40.0, -50.0), (40.0, -120.0)]
    project = projection_through([to_gps(*point) for point in points], points)
    for point in ((-300.0, 400.0), (12.0, -50.0), (900.0, -900.0)):
        assert project(*to_gps(*point)) == pytest.approx(point, abs=0.02)


def test_plans_that_cannot_be_projected():
    with pytest.raises(ValueError, match="has 1 places within 1 m"):
        projection_through([(0.0, 0.0)], [(0.0, 0.0)])
    with pytest.raises(ValueError, match="do not fit: one is .* m off"):
        projection_through([(0.0, 0.0), (0.001, 0.0), (0.001, 0.001)], [(0.0, 0.0), (0.0, -111.0), (111.0, -111.0)])
