"""What the sensors measure, through the real client."""

import math
import queue

import numpy as np
import pytest

carla = pytest.importorskip("carla")


@pytest.fixture
def listen(spawn):
    """A function that spawns a sensor on an actor and returns a function from a frame to its measurement of it."""

    def attach(name, owner, where=None, **attributes):
        received: queue.Queue = queue.Queue()
        sensor = spawn(name, where or carla.Transform(), attach_to=owner, **attributes)
        sensor.listen(received.put)

        def at(frame: int):
            while True:
                data = received.get(timeout=10.0)
                if data.frame == frame:
                    return data

        at.received = received  # type: ignore[attr-defined]
        return at

    return attach


def image(data) -> np.ndarray:
    """Red, green, blue as signed numbers."""
    assert len(data.raw_data) == data.width * data.height * 4
    return np.frombuffer(data.raw_data, np.uint8).reshape(data.height, data.width, 4)[..., 2::-1].astype(int)


def eye() -> carla.Transform:
    # a new one each time: Transform.transform changes the location that it is given
    return carla.Transform(carla.Location(1.0, 0.0, 2.0))


def test_every_tick_has_its_image_from_the_first_on(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    camera = listen("sensor.camera.rgb", car, eye(), image_size_x=84, image_size_y=64)
    for _ in range(20):
        car.apply_control(carla.VehicleControl(throttle=0.5))
        data = camera(world.tick())
        assert (data.width, data.height, data.fov) == (84, 64, 90.0)
        assert data.transform.location.distance(car.get_transform().transform(eye().location)) < 1e-3


def test_a_box_is_drawn_where_the_pinhole_model_puts_it(world, spawn, listen, at):
    place = world.get_map().get_spawn_points()[0]
    car = spawn("vehicle.tesla.model3", place)
    camera = listen("sensor.camera.rgb", car, eye(), image_size_x=400, image_size_y=300, fov=80)
    empty = image(camera(world.tick()))
    other = spawn("vehicle.audi.tt", at(place, 15.0, 3.0), color="255,0,0")
    picture = image(camera(world.tick()))
    rows, columns = np.nonzero(np.abs(picture - empty).sum(axis=2))
    focal = 400 / (2 * math.tan(math.radians(40)))
    extent = other.bounding_box.extent
    corners = [
        (14.0 + along * extent.x, 3.0 + aside * extent.y, up * 2 * extent.z - 2.0)
        for along in (-1, 1)
        for aside in (-1, 1)
        for up in (0, 1)
    ]
    u = [200 + focal * y / x for x, y, _ in corners]
    v = [150 - focal * z / x for x, _, z in corners]
    assert (columns.min(), columns.max() + 1) == pytest.approx((min(u), max(u)), abs=1.5)
    assert (rows.min(), rows.max() + 1) == pytest.approx((min(v), max(v)), abs=1.5)
    red, green, blue = picture[rows, columns].T
    assert (red > 80).all() and (green + blue < red / 4).all()


def test_the_camera_sees_lane_markings_where_they_are(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    camera = listen("sensor.camera.rgb", car, eye(), image_size_x=400, image_size_y=300, fov=80)
    picture = image(camera(world.tick()))
    focal, row = 400 / (2 * math.tan(math.radians(40))), 220
    distance = focal * 2.0 / (row + 0.5 - 150)
    white = np.nonzero((picture[row, 200:] > 150).all(axis=1))[0] + 200
    # half a lane of 3.5 m to the right
    assert white.mean() + 0.5 == pytest.approx(200 + focal * 1.75 / distance, abs=2.5)
    red, green, blue = picture[: 150 - 5].reshape(-1, 3).T
    assert (blue > red).all(), "sky"


def test_night_and_fog(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    camera = listen("sensor.camera.rgb", car, eye(), image_size_x=84, image_size_y=64)

    def picture(**weather):
        world.set_weather(carla.WeatherParameters(**weather))
        return image(camera(world.tick()))

    day, night = picture(sun_altitude_angle=60.0), picture(sun_altitude_angle=-60.0)
    fog = picture(sun_altitude_angle=60.0, fog_density=80.0)
    assert night.mean() < day.mean() / 4
    assert fog.std() < day.std()
    np.testing.assert_array_equal(picture(sun_altitude_angle=60.0), day)


def test_sensor_tick_sets_the_rate(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    camera = listen("sensor.camera.rgb", car, eye(), image_size_x=8, image_size_y=8, sensor_tick=0.3)
    frames = [world.tick() for _ in range(12)]
    camera(frames[9])
    assert camera.received.qsize() == 0
    frames = [world.tick() for _ in range(3)]
    assert camera(frames[0]).frame == frames[0]


def test_imu_measures_acceleration_turn_rate_and_north(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    imu = listen("sensor.other.imu", car)
    for _ in range(20):
        car.apply_control(carla.VehicleControl(throttle=0.7, steer=0.2))
        data = imu(world.tick())
    yaw = math.radians(car.get_transform().rotation.yaw)
    acceleration = car.get_acceleration()
    assert data.accelerometer.x == pytest.approx(acceleration.x * math.cos(yaw) + acceleration.y * math.sin(yaw), abs=1e-3)
    assert data.accelerometer.y == pytest.approx(acceleration.y * math.cos(yaw) - acceleration.x * math.sin(yaw), abs=1e-3)
    assert data.accelerometer.x > 1.0 and data.accelerometer.y > 0.3 and data.accelerometer.z == pytest.approx(9.81)
    assert data.gyroscope.z == pytest.approx(math.radians(car.get_angular_velocity().z), abs=1e-4)
    # facing east, north is a quarter turn to the left
    assert data.compass == pytest.approx((yaw + math.pi / 2) % (2 * math.pi), abs=1e-4)


def test_gnss_agrees_with_the_map(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    gnss = listen("sensor.other.gnss", car, carla.Transform(carla.Location(z=1.0)))
    data = gnss(world.tick())
    place = car.get_location() + carla.Location(z=1.0)
    expected = world.get_map().transform_to_geolocation(place)
    assert (data.latitude, data.longitude, data.altitude) == pytest.approx(
        (expected.latitude, expected.longitude, expected.altitude), abs=1e-7
    )


def test_obstacle_ahead_and_how_far(world, spawn, listen, at):
    place = world.get_map().get_spawn_points()[0]
    car = spawn("vehicle.tesla.model3", place)
    obstacle = listen("sensor.other.obstacle", car, distance=20, hit_radius=0.5)
    dynamic = listen("sensor.other.obstacle", car, distance=20, hit_radius=0.5, only_dynamics=True)
    prop = spawn("static.prop.container", at(place, 15.0))
    data = obstacle(world.tick())
    assert data.other_actor.id == prop.id
    assert data.distance == pytest.approx(15.0 - prop.bounding_box.extent.x - 0.5, abs=1e-2)
    prop.set_location(at(place, 15.0, 4.0).location)
    walker = spawn("walker.pedestrian.0001", at(place, 10.0))
    frame = world.tick()
    assert dynamic(frame).other_actor.id == walker.id == obstacle(frame).other_actor.id
    assert dynamic.received.qsize() == 0


def test_the_client_finds_lane_invasions(world, spawn, listen):
    car = spawn("vehicle.tesla.model3")
    crossed: list = []
    sensor = spawn("sensor.other.lane_invasion", attach_to=car)
    sensor.listen(crossed.append)
    car.apply_control(carla.VehicleControl(throttle=0.6, steer=-0.1))
    for _ in range(40):
        world.tick()
    assert carla.LaneMarkingType.Broken in {marking.type for event in crossed for marking in event.crossed_lane_markings}


def test_a_camera_of_no_size_is_refused(world, spawn):
    with pytest.raises(RuntimeError, match="no camera has 0 x 600 pixels"):
        spawn("sensor.camera.rgb", image_size_x=0)
