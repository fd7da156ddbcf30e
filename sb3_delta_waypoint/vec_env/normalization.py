"""Check that envs give physical units, which planners expect."""

from stable_baselines3.common.vec_env import VecEnv, VecNormalize, unwrap_vec_normalize


def refuse_normalized_observations(venv: VecEnv | VecNormalize | None) -> None:
    """
    Refuse envs with normalised observations.

    A frozen planner expects physical units and normalises them itself, so that observations normalised before it would give
    wrong plans without an error.

    :param venv: envs, possibly wrapped
    :raises ValueError: if they are wrapped in ``VecNormalize(norm_obs=True)``
    """
    wrapper = unwrap_vec_normalize(venv) if venv is not None else None
    if wrapper is not None and wrapper.norm_obs:
        raise ValueError(
            "VecNormalize(norm_obs=True) would feed the frozen planner normalised numbers where it expects metres and m/s: "
            "use VecNormalize(..., norm_obs=False); norm_reward may stay on"
        )
