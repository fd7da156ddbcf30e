"""How vehicles move, that their physics control tells the truth about it, and what driving into things does."""

import math

import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.carla_bridge.loopback.blueprints import VEHICLES  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.road_map import RoadMap  # noqa: E402
from sb3_delta_waypoint.carla_bridge.loopback.world import LoopbackWorld  # noqa: E402
from sb3_delta_waypoint.maps.town import NAME, town  # noqa: E402

ROAD_MAP = RoadMap(NAME, town())


class Car:
    """A vehicle in a world of its own, at the origin unless said."""

    def __init__(self, name: str = "vehicle.tesla.model3", dt: float = 0.05, yaw: float = 0.0):
        self.world = LoopbackWorld(ROAD_MAP, 0)
        self.actor = self.world.spawn([0, name, []], [[0.0, 0.0, 0.0], [0.0, yaw, 0.0]])
        self.dt = dt

    def drive(self, seconds: float, throttle=0.0, steer=0.0, brake=0.0, reverse=False) -> None:
        """Right is positive, as a client gives it."""
        self.world.controls[self.actor.row] = (throttle, -steer, brake, False, reverse)
        for _ in range(round(seconds / self.dt)):
            self.world.step(self.dt)

    @property
    def row(self):
        return self.world.rows[self.actor.row]

    @property
    def body(self):
        return self.world.bodies[self.actor.row]

    @property
    def speed(self) -> float:
        return math.hypot(*self.row["velocity"][:2])

    @property
    def physics(self):
        return self.world.physics_control(self.actor)


def wheel_radius(car: Car) -> float:
    return car.physics[15][0][3] / 100


@pytest.mark.parametrize("name", VEHICLES)
class TestPhysicsControl:
    def test_torque_and_gears_give_the_acceleration_at_full_throttle(self, name):
        car = Car(name)
        torque, ratio, gear, mass = car.physics[0][0][1], car.physics[9], car.physics[10][0][0], car.physics[11]
        car.drive(2.0, throttle=1.0)
        measured = car.row["acceleration"][0]
        assert measured == pytest.approx(torque * ratio * gear / (wheel_radius(car) * mass), rel=0.1)

    def test_brake_torque_gives_the_deceleration(self, name):
        car = Car(name)
        car.body["speed"] = 15.0
        expected = sum(wheel[4] for wheel in car.physics[15]) / (wheel_radius(car) * car.physics[11])
        car.drive(1.0, brake=1.0)
        assert -car.row["acceleration"][0] == pytest.approx(expected, rel=0.1)

    def test_wheels_give_wheelbase_and_the_circle_at_full_lock(self, name):
        car = Car(name)
        front, rear = (car.physics[15][i][9] for i in (0, 2))
        wheelbase = math.dist(front[:2], rear[:2]) / 100
        assert wheelbase == pytest.approx(VEHICLES[name].dynamics.wheelbase)
        car.drive(1.5, steer=1.0)
        assert math.degrees(-car.body["steer"]) == pytest.approx(car.physics[15][0][2], rel=1e-3)
        car.body["speed"] = 0.3
        car.drive(0.1, steer=1.0)
        radius = car.body["speed"] / -car.body["yaw_rate"]
        assert radius == pytest.approx(wheelbase / math.tan(math.radians(car.physics[15][0][2])), rel=0.02)

    def test_the_steering_curve_holds_at_speed(self, name):
        car = Car(name)
        car.drive(1.0, steer=0.5)
        car.body["speed"] = 10.0
        car.drive(0.05, steer=0.5)
        speed = car.body["speed"] * 3.6
        points = car.physics[14]
        share = next(
            a[1] + (b[1] - a[1]) * (speed - a[0]) / (b[0] - a[0])
            for a, b in zip(points, points[1:], strict=False)
            if speed < b[0]
        )
        for _ in range(40):
            car.body["speed"] = 10.0
            car.drive(0.05, steer=0.5)
        assert math.degrees(-car.body["steer"]) == pytest.approx(0.5 * share * car.physics[15][0][2], rel=0.01)


def test_positive_steer_is_right_as_in_carla():
    car = Car()
    car.drive(3.0, throttle=0.5, steer=0.2)
    assert car.row["y"] > 1.0 and car.row["yaw"] > 5.0 and car.row["angular_velocity"][2] > 0.0


def test_velocity_and_rates_are_those_of_the_path():
    car = Car(dt=0.01)
    car.drive(2.0, throttle=0.5, steer=0.2)
    before = car.row.copy()
    car.drive(0.01, throttle=0.5, steer=0.2)
    for axis, name in enumerate("xy"):
        assert (car.row[name] - before[name]) / 0.01 == pytest.approx(car.row["velocity"][axis], abs=0.05)
    assert (car.row["yaw"] - before["yaw"]) / 0.01 == pytest.approx(car.row["angular_velocity"][2], rel=0.02)


def test_reverse_gear_waits_for_a_standstill_then_drives_backwards_and_steers_that_way():
    car = Car()
    car.body["speed"] = 2.0
    car.drive(0.2, throttle=0.5, reverse=True)
    assert car.row["velocity"][0] > 0.0
    car.drive(4.0, throttle=0.5, steer=0.3, reverse=True)
    assert car.row["velocity"][0] < -1.0
    # the wheels point right: backwards the tail goes right and the nose left
    assert car.row["y"] > 0.1 and car.row["yaw"] < -1.0


def test_pedals_and_steering_lag():
    car = Car(dt=0.02)
    car.drive(0.02, throttle=1.0, steer=1.0)
    assert car.row["acceleration"][0] < 0.3 * VEHICLES["vehicle.tesla.model3"].dynamics.max_acceleration
    assert math.degrees(-car.body["steer"]) < 2.0


def test_grip_limits_lateral_acceleration():
    car = Car()
    car.body["speed"] = 20.0
    car.drive(2.0, throttle=0.3, steer=1.0)
    limit = VEHICLES["vehicle.tesla.model3"].dynamics.max_lateral_acceleration
    assert math.hypot(*car.row["acceleration"][:2]) < limit * 1.1
    assert car.speed * math.radians(car.row["angular_velocity"][2]) == pytest.approx(limit, rel=0.05)


def test_no_two_blueprints_drive_alike():
    places = set()
    for name in VEHICLES:
        car = Car(name)
        car.drive(4.0, throttle=0.6, steer=0.1)
        places.add((round(float(car.row["x"]), 1), round(float(car.row["y"]), 1)))
    assert len(places) == len(VEHICLES)


def test_the_trace_hardly_depends_on_the_frame_rate():
    traces = []
    for dt in (0.1, 0.05, 0.025):
        car = Car(dt=dt)
        car.drive(6.0, throttle=0.5, steer=0.1)
        traces.append((car.row["x"], car.row["y"]))
    assert max(math.dist(traces[0], trace) for trace in traces) < 0.01


def test_a_vehicle_brakes_to_a_stop_and_stays():
    car = Car()
    car.drive(3.0, throttle=0.5)
    car.drive(5.0, brake=0.6)
    place = float(car.row["x"])
    car.drive(5.0)
    assert car.speed == 0.0 and car.row["x"] == place


def test_controls_that_are_no_numbers_do_no_harm():
    car = Car()
    car.drive(0.5, throttle=math.nan, steer=math.nan, brake=math.nan)
    car.drive(2.0, throttle=0.5)
    assert math.isfinite(car.row["x"]) and car.speed > 1.0


@pytest.fixture
def crash(world, spawn, at):
    """A function that drives a car straight on with what is given 12 m ahead: the car, what it hit, and its collisions."""

    def crash(obstacle: str, right: float = 0.0, steps: int = 60):
        place = world.get_map().get_spawn_points()[0]
        car = spawn("vehicle.tesla.model3", place)
        other = spawn(obstacle, at(place, 12.0, right))
        sensor = spawn("sensor.other.collision", attach_to=car)
        events: list = []
        sensor.listen(events.append)
        for _ in range(steps):
            car.apply_control(carla.VehicleControl(throttle=0.7))
            world.tick()
        return car, other, events

    return crash


@pytest.mark.parametrize("obstacle", ["vehicle.nissan.micra", "walker.pedestrian.0001", "static.prop.streetbarrier"])
def test_a_car_stops_at_what_it_hits_and_says_what(world, crash, obstacle):
    car, other, events = crash(obstacle)
    assert events[0].actor.id == car.id and events[0].other_actor.id == other.id
    assert events[0].other_actor.type_id == obstacle
    # pushed back: it was heading the way of its spawn point
    assert events[0].normal_impulse.dot(car.get_transform().get_forward_vector()) < -1000.0
    gap = car.get_location().distance(other.get_location()) - car.bounding_box.extent.x - other.bounding_box.extent.x
    assert -0.01 < gap < 1.2
    assert car.get_velocity().length() < 0.5


def test_what_is_beside_the_way_is_passed(crash):
    car, other, events = crash("vehicle.nissan.micra", right=2.2)
    assert not events and car.get_velocity().length() > 5.0


def test_a_car_can_reverse_out_of_what_it_hit(world, crash):
    car, other, events = crash("static.prop.container")
    n_events, gap = len(events), car.get_location().distance(other.get_location())
    for _ in range(20):
        car.apply_control(carla.VehicleControl(throttle=0.5, reverse=True))
        world.tick()
    assert car.get_location().distance(other.get_location()) > gap + 1.0
    assert len(events) == n_events


def test_who_is_hit_is_told_too(world, spawn, at):
    place = world.get_map().get_spawn_points()[0]
    driver, victim = spawn("vehicle.tesla.model3", place), spawn("vehicle.audi.tt", at(place, 10.0))
    events: list = []
    sensor = spawn("sensor.other.collision", attach_to=victim)
    sensor.listen(events.append)
    driver.apply_control(carla.VehicleControl(throttle=0.7))
    for _ in range(40):
        world.tick()
    assert events[0].actor.id == victim.id and events[0].other_actor.id == driver.id
    assert events[0].normal_impulse.dot(place.get_forward_vector()) > 1000.0
