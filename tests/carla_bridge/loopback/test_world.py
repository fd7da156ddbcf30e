"""Episodes, time, actors and maps, as the real client sees them."""

import time

import pytest

carla = pytest.importorskip("carla")

from sb3_delta_waypoint.maps.town import town  # noqa: E402


def test_a_tick_is_one_step_and_its_state_is_there_when_it_returns(world, spawn):
    car = spawn("vehicle.tesla.model3")
    first = world.tick()
    car.apply_control(carla.VehicleControl(throttle=1.0))
    for number in range(1, 30):
        before = world.get_snapshot().timestamp.elapsed_seconds
        frame = world.tick()
        snapshot = world.get_snapshot()
        assert frame == snapshot.frame == first + number
        assert snapshot.timestamp.delta_seconds == pytest.approx(0.1)
        assert snapshot.timestamp.elapsed_seconds - before == pytest.approx(0.1)
        # a control is held until the next one
        assert car.get_control().throttle == 1.0
    assert car.get_velocity().length() > 5.0
    assert snapshot.find(car.id).get_transform() == car.get_transform()


def test_settings_and_weather_come_back_as_set(world):
    assert world.get_settings().synchronous_mode and world.get_settings().fixed_delta_seconds == pytest.approx(0.1)
    weather = carla.WeatherParameters(cloudiness=12.0, sun_altitude_angle=-30.0, fog_density=7.0, wetness=3.0)
    world.set_weather(weather)
    assert world.get_weather() == weather


def test_a_taken_place_is_refused_as_carla_does(world, spawn, at):
    place = world.get_map().get_spawn_points()[0]
    spawn("vehicle.tesla.model3", place)
    with pytest.raises(RuntimeError, match="Spawn failed because of collision at spawn position"):
        spawn("vehicle.audi.tt", at(place, ahead=3.0))
    assert world.try_spawn_actor(world.get_blueprint_library().find("static.prop.barrel"), place) is None
    spawn("vehicle.audi.tt", at(place, ahead=7.0))


def test_destroyed_actors_are_gone_and_what_rode_on_them_stays(world, spawn):
    car = spawn("vehicle.tesla.model3")
    camera = spawn("sensor.camera.rgb", carla.Transform(carla.Location(1.5, 0.0, 2.0)), attach_to=car)
    other = spawn("vehicle.tesla.model3", world.get_map().get_spawn_points()[5])
    world.tick()
    rode_at = camera.get_transform()
    assert car.destroy()
    world.tick()
    ids = {actor.id for actor in world.get_actors()}
    assert car.id not in ids and {camera.id, other.id} <= ids
    assert camera.get_transform().location.distance(rode_at.location) < 1e-3
    assert other.get_transform().location.distance(world.get_map().get_spawn_points()[5].location) < 0.5
    again = spawn("vehicle.tesla.model3")
    assert again.id not in ids


def test_what_is_attached_rides_along(world, spawn):
    car = spawn("vehicle.tesla.model3")
    camera = spawn(
        "sensor.camera.rgb", carla.Transform(carla.Location(1.5, 0.5, 2.0), carla.Rotation(pitch=-10, yaw=30)), attach_to=car
    )
    car.apply_control(carla.VehicleControl(throttle=0.6, steer=0.3))
    for _ in range(25):
        world.tick()
    transform = car.get_transform()
    expected = transform.transform(carla.Location(1.5, 0.5, 2.0))
    assert abs(transform.rotation.yaw) > 5.0
    assert camera.get_transform().location.distance(expected) < 1e-3
    assert camera.get_transform().rotation.yaw == pytest.approx(transform.rotation.yaw + 30, abs=1e-3)
    assert camera.get_transform().rotation.pitch == pytest.approx(-10)


def test_teleport_and_target_velocity(world, spawn):
    car = spawn("vehicle.lincoln.mkz_2020")
    target = world.get_map().get_spawn_points()[10]
    car.set_transform(target)
    world.tick()
    assert car.get_location().distance(carla.Location(target.location.x, target.location.y, 0.0)) < 1e-3
    forward = target.get_forward_vector()
    car.set_target_velocity(forward * 8.0)
    world.tick()
    assert car.get_velocity().dot(forward) == pytest.approx(8.0, abs=0.2)
    car.set_simulate_physics(False)
    place = car.get_location()
    for _ in range(3):
        world.tick()
    assert car.get_location() == place


def test_wheel_angle_and_physics_through_the_client(world, spawn):
    car = spawn("vehicle.tesla.model3")
    car.apply_control(carla.VehicleControl(steer=1.0))
    for _ in range(15):
        world.tick()
    physics = car.get_physics_control()
    assert car.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel) == pytest.approx(physics.wheels[0].max_steer_angle)
    physics.wheels = [
        carla.WheelPhysicsControl(max_steer_angle=20.0 if number < 2 else 0.0, radius=wheel.radius)
        for number, wheel in enumerate(physics.wheels)
    ]
    car.apply_physics_control(physics)
    for _ in range(15):
        world.tick()
    assert car.get_wheel_steer_angle(carla.VehicleWheelLocation.FL_Wheel) == pytest.approx(20.0)
    assert car.bounding_box.extent.x == pytest.approx(4.79 / 2)


def test_batches_spawn_control_and_destroy_and_report_each(client, world, at):
    command, library = carla.command, world.get_blueprint_library()
    points = world.get_map().get_spawn_points()
    results = client.apply_batch_sync(
        [
            command.SpawnActor(library.find("vehicle.audi.tt"), points[0]).then(
                command.ApplyVehicleControl(command.FutureActor, carla.VehicleControl(throttle=1.0))
            ),
            command.SpawnActor(library.find("vehicle.audi.tt"), points[0]),
            command.SpawnActor(library.find("walker.pedestrian.0002"), points[9]),
        ]
    )
    assert [bool(result.error) for result in results] == [False, True, False]
    assert "collision" in results[1].error
    car, walker = results[0].actor_id, results[2].actor_id
    client.apply_batch_sync([command.ApplyWalkerState(walker, points[12], 2.0), command.ApplyTransform(car, points[20])])
    for _ in range(20):
        world.tick()
    assert world.get_actor(car).get_location().distance(points[20].location) > 3.0
    assert world.get_actor(walker).get_location().distance(points[12].location) == pytest.approx(4.0, abs=1.0)
    results = client.apply_batch_sync([command.DestroyActor(actor) for actor in (car, walker, 999999)])
    assert [bool(result.error) for result in results] == [False, False, True]


def test_walkers_walk_where_they_are_told(world, spawn):
    walker = spawn("walker.pedestrian.0001")
    start = walker.get_location() if world.tick() else None
    walker.apply_control(carla.WalkerControl(carla.Vector3D(0.0, 1.0, 0.0), 1.5))
    for _ in range(20):
        world.tick()
    moved = walker.get_location() - start
    assert (moved.x, moved.y) == pytest.approx((0.0, 3.0), abs=1e-3)
    assert walker.get_velocity().y == pytest.approx(1.5) and walker.get_transform().rotation.yaw == pytest.approx(90.0)


def test_a_map_that_the_client_sends_and_a_new_episode(client, world, spawn):
    old = spawn("vehicle.tesla.model3")
    frame, episode = world.tick(), world.id
    new = client.generate_opendrive_world(town(), carla.OpendriveGenerationParameters(), False)
    assert new.id != episode and new.get_map().name.endswith("OpenDriveMap")
    assert new.get_settings().synchronous_mode
    assert new.tick() > frame
    assert [actor.type_id for actor in new.get_actors()] == ["spectator"] and not old.is_alive
    assert client.reload_world(False).id != new.id
    with pytest.raises(RuntimeError, match="no driving lane"):
        client.generate_opendrive_world("<OpenDRIVE/>", carla.OpendriveGenerationParameters(), False)
    with pytest.raises(RuntimeError, match="'Atlantis' not found; the loopback server has LoopbackTown"):
        client.load_world("Atlantis")
    assert client.load_world("LoopbackTown", False).get_map().name.endswith("LoopbackTown")


def test_asynchronous_time_runs_by_itself(client, world):
    settings = world.get_settings()
    settings.synchronous_mode, settings.fixed_delta_seconds = False, 0.02
    world.apply_settings(settings)
    first = world.wait_for_tick()
    time.sleep(0.5)
    last = world.wait_for_tick()
    # 25 on an idle machine
    assert last.frame - first.frame > 5
    assert last.timestamp.elapsed_seconds - first.timestamp.elapsed_seconds == pytest.approx(
        (last.frame - first.frame) * 0.02, rel=1e-3
    )
    assert client.get_world().id == world.id


def test_a_call_that_it_does_not_know_says_so(world, spawn):
    with pytest.raises(RuntimeError, match="the loopback server does not know the call 'get_telemetry_data'"):
        spawn("vehicle.tesla.model3").get_telemetry_data()
