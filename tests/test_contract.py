"""The contract of observations: shapes and bounds by name, and the error for groups that there are not."""

import numpy as np
import pytest

from sb3_delta_waypoint.contract import GROUPS, check_groups


def test_shapes_follow_from_rows_and_columns():
    shapes = {name: group.shape for name, group in GROUPS.items()}
    others = {"speed_limit": (10,), "agents": (16, 7), "agents_valid": (16,), "signal": (2,)}
    assert shapes == {"state": (4,), "route": (10, 2), **others}


def test_columns_are_found_by_name():
    state = GROUPS["state"]
    assert state.index_of("yaw rate") == 2 and state.column("yaw rate").high == 10.0 and state.column("speed").unit == "m/s"
    with pytest.raises(ValueError):
        state.index_of("altitude")


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
def test_every_number_has_bounds_and_a_size(group):
    low, high, scale = (np.array([getattr(column, end) for column in group.columns]) for end in ("low", "high", "scale"))
    assert (low < high).all() and (scale > 0.0).all() and (scale <= high).all() and group.least_std > 0.0
    assert len({column.name for column in group.columns}) == len(group.columns)


def test_groups_come_in_the_order_of_the_table():
    assert check_groups(["route", "state"], GROUPS) == ("state", "route")
    assert check_groups("signal", GROUPS) == ("signal",)


@pytest.mark.parametrize(
    ("groups", "given", "message"),
    [
        (["lidar"], GROUPS, "observe=.*'lidar': there is no such group; accepted are state, route"),
        (["agents"], ["state"], "'agents': this env does not give it; accepted are state"),
        ([], GROUPS, "at least"),
        (3, GROUPS, "observe=3: expected names"),
    ],
)
def test_other_groups_are_refused(groups, given, message):
    with pytest.raises(ValueError, match=message):
        check_groups(groups, given)
