"""Values and texts in messages."""

from sb3_delta_waypoint.messages import short_repr, short_text


def test_values_are_short_in_messages():
    nest = 1
    for _ in range(40):
        nest = [nest] * 9
    for value in (nest, {"a": nest, "b": [nest]}, "x" * 10**6, b"x" * 10**6, 16**100_000, -(10**5000), list(range(10**6))):
        assert len(short_repr(value)) <= 105
    assert short_repr({"a": [1, None, 2.5]}) == "{'a': [1, None, 2.5]}" and short_repr("it's") == '"it\'s"'
    assert short_text("one\n  two\x1b[31m") == "one two\\x1b[31m"
    assert short_text("x" * 999) == "x" * 100 + " … " + "x" * 100
