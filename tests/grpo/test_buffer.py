"""Episodes wait for their group; none is dropped, mixed up or kept for longer than needed."""

import numpy as np
import pytest
import torch as th

from sb3_delta_waypoint.grpo.buffer import EpisodeBuffer, Transitions

N_ENVS, GROUP_SIZE = 3, 2


class Player:
    """Plays episodes of given lengths; each transition carries ``(env, episode of the env, step)``."""

    def __init__(self, lengths, group_size=GROUP_SIZE, returns=lambda i, k: i + 10 * k, seen=lambda label: label):
        self.lengths, self.returns, self.seen = lengths, returns, seen
        self.buffer = EpisodeBuffer(len(lengths), group_size)
        self.at = np.zeros((len(lengths), 2), int)
        self.n_played = 0
        self.buffer.begin(range(len(lengths)), np.zeros((len(lengths), 1)))

    def play(self, n_steps):
        for _ in range(n_steps):
            label = th.tensor([[i, k, t] for i, (k, t) in enumerate(self.at)], dtype=th.float32)
            rewards = np.array([self.returns(i, k) / self.lengths[i][k] for i, (k, _) in enumerate(self.at)])
            ended = [i for i, (k, t) in enumerate(self.at) if t + 1 == self.lengths[i][k]]
            truncated = [i for i in ended if self.at[i, 0] % 2 == 1]
            self.buffer.add(Transitions(self.seen(label), label[:, 0].long(), label.sum(1)), rewards, ended, truncated)
            self.at[:, 1] += 1
            for i in ended:
                self.at[i] = self.at[i, 0] + 1, 0
            self.buffer.begin(ended, np.zeros((len(self.lengths), 1)))
            self.n_played += len(self.lengths)
        return self


LENGTHS = [[4, 2, 6, 1] * 20, [1, 1, 3, 2] * 20, [7, 5, 2, 3] * 20]


def check(taken, group_size=GROUP_SIZE):
    """What belongs together is together; gives (env, episode) of each."""
    begins = np.cumsum(taken.lengths) - taken.lengths
    numbers = []
    for begin, length, truncated in zip(begins, taken.lengths, taken.truncated, strict=True):
        label = taken.transitions.seen[begin : begin + length]
        env, episode = label[0, :2].int().tolist()
        assert label.tolist() == [[env, episode, t] for t in range(length)] and length == LENGTHS[env][episode]
        assert (taken.transitions.actions[begin : begin + length] == env).all()
        assert (taken.transitions.log_probs[begin : begin + length] == label.sum(1)).all()
        np.testing.assert_allclose(taken.rewards[begin : begin + length].sum(), env + 10 * episode)
        assert truncated == (episode % 2 == 1)
        numbers.append(episode * N_ENVS + env)
    groups = np.array(numbers).reshape(-1, group_size)
    assert (groups // group_size == groups[:, :1] // group_size).all() and (np.diff(numbers) > 0).all()
    return numbers


def test_every_episode_comes_out_once_and_whole():
    player, taken = Player(LENGTHS), []
    n_out = 0
    for _ in range(20):
        episodes = player.play(5).buffer.take()
        if episodes is not None:
            taken += check(episodes)
            n_out += episodes.lengths.sum()
        assert player.n_played == n_out + player.buffer.n_held, "a transition is taken or held"
    assert len(set(taken)) == len(taken)
    # what is out is everything but the groups that are not complete
    ended = {k * N_ENVS + i for i in range(N_ENVS) for k in range(player.at[i, 0])}
    complete = {n for n in ended if {n // GROUP_SIZE * GROUP_SIZE + m for m in range(GROUP_SIZE)} <= ended}
    assert set(taken) == complete and len(taken) > 30


def test_memory_is_bounded_by_what_is_held():
    player = Player([[5] * 400] * 4)
    most = 0
    for _ in range(60):
        player.play(20)
        most = max(most, player.buffer.n_held)
        player.buffer.take()
        assert len(player.buffer._number) <= 2 * most
    assert player.n_played > 20 * most
    assert player.buffer.n_held <= 20


def test_one_slow_env_holds_back_its_own_groups_only():
    player = Player([[1000], [2] * 100, [2] * 100, [2] * 100])
    assert player.play(100).buffer.take().lengths.sum() == 2 * 50 * 2  # envs 2 and 3 make groups of their own
    assert player.buffer.n_held == 100 + 100


@pytest.mark.parametrize("kind", [dict, list])
def test_what_the_policy_acts_on_keeps_its_kind(kind):
    from sb3_delta_waypoint.policies import PolicyFeatures

    def seen(label):
        return {"a": label, "b": label[:, :1].byte()} if kind is dict else PolicyFeatures(label, label[:, :1], label[:, :1])

    taken = Player(LENGTHS, seen=seen).play(100).buffer.take().transitions.seen
    if kind is dict:
        assert set(taken) == {"a", "b"} and taken["b"].dtype == th.uint8 and (taken["b"] == taken["a"][:, :1]).all()
    else:
        assert isinstance(taken, PolicyFeatures) and (taken.inputs == taken.sft_waypoints[:, :1]).all()


def test_readiness():
    buffer = Player([[2] * 50] * 2).play(2).buffer
    assert buffer.is_ready(1, 4) and not buffer.is_ready(2, 4) and not buffer.is_ready(1, 5)
    buffer.take()
    buffer.clear_statistics()
    assert not buffer.is_ready(1, 0)


def test_groups_without_spread_are_counted_and_dropped():
    player = Player([[3] * 50] * 2, returns=lambda i, k: k if k % 2 else i)
    buffer = player.play(60).buffer
    assert len(buffer.spread_groups) == len(buffer.flat_groups) == 10
    assert buffer.is_ready(20, 120) and buffer.is_ready(10, 60, count_flat=False)
    assert not buffer.is_ready(11, 0, count_flat=False)
    assert buffer.n_held == 60
    taken = buffer.take()
    assert len(taken.lengths) == 20 and set(taken.transitions.seen[:, 1].int().tolist()) == set(range(0, 20, 2))
    assert buffer.n_held == 0 and buffer.take() is None


@pytest.mark.parametrize(
    ("gamma", "members", "flat"),
    [
        # 1 now is 2 one step later, at half the value
        (0.5, [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]], True),
        (1.0, [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 4.0]], False),
        # the same sums, earlier or later
        (0.5, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], False),
        (1.0, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], True),
        # of other lengths
        (0.5, [[2.0], [0.0, 4.0], [1.0, 1.0, 2.0]], True),
        (0.9, [[2.0], [0.0, 4.0], [1.0, 1.0, 2.0]], False),
    ],
)
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_group_is_flat_if_its_discounted_returns_are_equal(gamma, members, flat, rounds):
    """``rounds``: the discount begins again with each episode."""
    buffer = EpisodeBuffer(len(members), len(members), gamma)
    for _ in range(rounds):
        buffer.begin(range(len(members)), np.zeros((len(members), 1)))
        for step in range(max(map(len, members))):
            rewards = np.array([rewards[step] if step < len(rewards) else 9.0 for rewards in members])
            ended = [i for i, rewards in enumerate(members) if step + 1 == len(rewards)]
            label = th.zeros(len(members), 1)
            buffer.add(Transitions(label, label, label[:, 0]), rewards, ended)
            if len(set(map(len, members))) > 1:
                # an env that has finished goes on in the next group
                buffer.begin([i for i in ended if i + 1 < len(members)], np.zeros((len(members), 1)))
        if len(set(map(len, members))) > 1:
            break
    groups = buffer.flat_groups if flat else buffer.spread_groups
    assert groups and not (buffer.spread_groups if flat else buffer.flat_groups)
    assert {group.n_transitions for group in groups} == {sum(map(len, members))}


def test_members_must_begin_alike():
    buffer = EpisodeBuffer(4, 2)
    observations = {"x": np.array([[1.0], [1.0], [2.0], [2.0]]), "y": np.zeros((4, 2))}
    buffer.begin(range(4), observations)
    observations["x"][3] = 2.5
    with pytest.raises(ValueError, match="env 2 and env 3 begin scenario 1 with different observations.*reset"):
        EpisodeBuffer(4, 2).begin(range(4), observations)


def test_reset_forgets_everything():
    buffer = Player(LENGTHS).play(50).buffer
    buffer.reset()
    assert buffer.n_held == 0 and buffer.take() is None and not buffer.is_ready(1, 0)
    buffer.begin(range(3), np.ones((3, 1)))
    assert buffer.episode_numbers.tolist() == [0, 1, 2]


def test_streak_of_groups_without_spread():
    # the k-th episodes of the two envs are a group, without spread except for k = 3
    player = Player([[2] * 6] * 2, returns=lambda i, k: i if k == 3 else 1)
    streaks = []
    for _ in range(5):
        streaks.append(player.play(2).buffer.zero_std_streak)
        player.buffer.clear_statistics()
    assert streaks == [1, 2, 3, 0, 1]
