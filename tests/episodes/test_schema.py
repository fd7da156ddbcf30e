"""The schema that ships with the package."""

from sb3_delta_waypoint.contract import EGO_GROUPS, GROUPS
from sb3_delta_waypoint.episodes.schema import episode_validator


def test_the_schema_describes_the_observation_groups_of_the_contract():
    observations = episode_validator().schema["properties"]["frames"]["items"]["properties"]["observations"]
    assert observations["required"] == list(EGO_GROUPS)
    groups = {name: schema for name, schema in observations["properties"].items() if name != "cameras"}
    assert groups == {name: {"description": described(group), "type": "array"} for name, group in GROUPS.items()}


def described(group):
    columns = ", ".join(f"{column.name} ({column.unit})" if column.unit else column.name for column in group.columns)
    return f"{' × '.join(map(str, group.shape))} numbers: {group.meaning}; {columns}."
