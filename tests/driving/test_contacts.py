"""Contacts: who is touched, in which way, and whose fault it is."""

import math

import numpy as np
import pytest

from sb3_delta_waypoint.driving.contacts import touch_reported
from sb3_delta_waypoint.driving.records import CYCLIST, FRESH_TOTALS, OBJECT, PEDESTRIAN
from tests.driving.scoring import BETWEEN_LANES, IN_LANE, VEHICLE, a_car, meet, others

# the car's box reaches from x = -1 to 3.7 and from y = -0.95 to 0.95; another vehicle's 2 m and 1 m to either side
FRONT = (3.7 + 2.0, 0.0, 0.0)
SIDE = (1.0, 0.95 + 1.0, 0.0)
BACK = (-1.0 - 2.0, 0.0, 0.0)


def contact(place, speed=5.0, standing=IN_LANE, car_speed=10.0, dx=0.0, dy=0.0):
    """Number of contacts, and whether they are the car's fault."""
    totals = FRESH_TOTALS.copy()
    meeting = meet(others((place[0] + dx, place[1] + dy, place[2], speed)), a_car(car_speed), standing, totals)
    assert meeting.at_fault == totals["fault_vehicle"][0]
    return int(totals["hit_vehicle"][0]), bool(meeting.at_fault)


def test_touching_counts_and_a_gap_does_not():
    assert contact(FRONT, dx=-1e-9) == (1, True)
    assert contact(FRONT, dx=1e-6) == (0, False)
    assert contact(SIDE, dy=-1e-9)[0] == 1
    assert contact(SIDE, dy=1e-6)[0] == 0


def test_corners_meet_where_boxes_are_turned():
    # a square's corner points at the front bumper
    turned = math.pi / 4
    reach = (2.0 + 1.0) * math.cos(turned)
    assert contact((3.7 + reach - 1e-6, 0.0, turned)) == (1, True)
    assert contact((3.7 + reach + 1e-6, 0.0, turned)) == (0, False)
    # circles about the boxes overlap, the boxes do not
    assert contact((4.5, 2.3, 0.0))[0] == 0


def test_a_stopped_car_is_never_at_fault():
    assert contact(FRONT, car_speed=0.05, dx=-0.1) == (1, False)
    assert contact(FRONT, car_speed=0.051, dx=-0.1) == (1, True)


def test_whoever_hits_somebody_stopped_is_at_fault():
    assert contact(SIDE, speed=0.05, dy=-0.1) == (1, True)
    assert contact(SIDE, speed=0.051, dy=-0.1) == (1, False)
    assert contact(BACK, speed=0.0, dx=0.1) == (1, True)


def test_contacts_from_behind_are_the_others_fault():
    assert contact(BACK, dx=0.1) == (1, False)
    assert contact(BACK, dx=0.1, standing=BETWEEN_LANES) == (1, False)
    # at a bearing of just less than 150° it is a contact at the side
    limit = 2.9 * math.tan(math.radians(30.0))
    assert contact((-2.9, limit - 0.01, 0.0), standing=BETWEEN_LANES) == (1, False)
    assert contact((-2.9, limit + 0.01, 0.0), standing=BETWEEN_LANES) == (1, True)


def test_the_front_bumper_makes_it_a_contact_at_the_front():
    # beside the front bumper's end, and just behind it
    assert contact((3.7 + 1.99, 1.9, 0.0)) == (1, True)
    assert contact((3.7 - 2.01, 1.9, 0.0)) == (1, False)


def test_contacts_at_the_side_are_the_cars_fault_between_lanes_only():
    assert contact(SIDE, dy=-0.1) == (1, False)
    assert contact(SIDE, dy=-0.1, standing=BETWEEN_LANES) == (1, True)
    assert contact(SIDE, dy=-0.1, standing=IN_LANE._replace(on_area=False)) == (1, False)


def test_each_other_counts_once():
    agents, totals = others((5.0, 0.0, 0.0, 5.0)), FRESH_TOTALS.copy()
    assert meet(agents, totals=totals).at_fault
    assert agents["collided"].all()
    again = meet(agents, totals=totals)
    assert not again.at_fault and again.time_to_collision == np.inf and totals["hit_vehicle"][0] == 1


def test_rows_that_hold_nobody_do_not_count():
    agents = others((5.0, 0.0, 0.0, 5.0))
    agents["present"] = False
    totals = FRESH_TOTALS.copy()
    assert not meet(agents, totals=totals).at_fault and totals["steps_met"][0] == 0


def test_contacts_count_by_class():
    agents = others(
        (5.0, 0, 0, 5.0), (4, 0, 0, 1, PEDESTRIAN), (4, 0.5, 0, 1, CYCLIST), (4, -0.5, 0, 0, OBJECT), (4, 0, 0, 0, OBJECT)
    )
    totals = FRESH_TOTALS.copy()
    meet(agents, totals=totals)
    found = {name: int(totals[name][0]) for name in totals.dtype.names if name.startswith(("hit", "fault"))}
    assert found == {
        **{"hit_vehicle": 1, "hit_vulnerable": 2, "hit_object": 2, "hit_pedestrian": 1},
        **{"fault_vehicle": 1, "fault_vulnerable": 2, "fault_object": 2},
    }


BESIDE, DIAGONAL = ((1.0, 4.0, math.pi / 2), 4.0 - 2.0 - 0.95), ((8.7, 4.95, 0.0), math.hypot(3.0, 3.0))


@pytest.mark.parametrize(("place", "gap"), [((10.7, 0.0, 0.0), 5.0), ((-6.0, 0.0, 0.0), 3.0), BESIDE, DIAGONAL])
def test_the_smallest_gap_of_the_episode(place, gap):
    totals = FRESH_TOTALS.copy()
    meet(others((*place, 0.0)), a_car(0.0), totals=totals)
    assert totals["gap_min"][0] == pytest.approx(gap)
    meet(others((30.0, 0.0, 0.0, 0.0)), a_car(0.0), totals=totals)
    assert totals["gap_min"][0] == pytest.approx(gap)


def reported(car, agent, yes=True, standing=IN_LANE):
    """Totals after a step in which a simulator has stopped car and other, who touch only if it reports so."""
    stopped_car, stopped, totals = car.copy(), agent.copy(), FRESH_TOTALS.copy()
    stopped_car["speed"] = stopped["speed"] = 0.0
    found = touch_reported(stopped, agent, np.array([yes]), stopped_car, car, VEHICLE, standing, totals[0])
    assert found == stopped["collided"].sum()
    again = touch_reported(stopped, agent, np.array([True]), stopped_car, car, VEHICLE, standing, totals[0])
    assert not yes or again == 0, "it counts once"
    return totals[0]


def test_whose_fault_a_reported_contact_is_follows_from_the_states_before_it():
    # 0.5 m apart: the front bumper is at 3.7 m, the rear one at -1 m
    ahead, behind = others((3.7 + 0.5 + 2.0, 0.0, 0.0, 2.0)), others((-1.0 - 0.5 - 2.0, 0.0, 0.0, 12.0))
    into = reported(a_car(10.0), ahead)
    assert into["fault_vehicle"] == into["hit_vehicle"] == 1
    assert into["time_to_collision_min"] == into["gap_min"] == 0.0
    hit = reported(a_car(5.0), behind)
    assert (hit["hit_vehicle"], hit["fault_vehicle"]) == (1, 0)
    beside = others((1.0, 0.95 + 0.3 + 1.0, -0.2, 8.0))
    assert reported(a_car(8.0), beside)["fault_vehicle"] == 0
    assert reported(a_car(8.0), beside, standing=BETWEEN_LANES)["fault_vehicle"] == 1
    standing = reported(a_car(0.0), others((3.7 + 0.5 + 2.0, 0.0, np.pi, 5.0)))
    assert (standing["hit_vehicle"], standing["fault_vehicle"]) == (1, 0)


def test_a_contact_that_is_seen_needs_no_report():
    totals, car = FRESH_TOTALS.copy(), a_car(5.0)
    agent, before = others((3.7 + 1.9, 0.0, 0.0, 1.0)), others((3.7 + 2.1, 0.0, 0.0, 1.0))
    assert touch_reported(agent, before, np.array([False]), car, a_car(5.0, x=-0.5), VEHICLE, IN_LANE, totals[0]) == 1
    assert totals["fault_vehicle"] == 1
    apart = others((3.7 + 2.5, 0.0, 0.0, 1.0))
    assert touch_reported(apart, apart, np.array([False]), car, car, VEHICLE, IN_LANE, totals[0]) == 0
