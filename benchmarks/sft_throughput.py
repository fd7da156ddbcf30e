"""
Time and peak memory of reading demonstrations and training a planner on them.

    python benchmarks/sft_throughput.py

writes 1,000 synthetic drives of 130 frames, 20 waypoints each, to a temporary folder, reads them back and trains for 2,000
steps of batch 256, on one thread. Budget on two cores: 60 s for reading and training together, 1.5 GB.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sb3_delta_waypoint.episodes.reader import Episode, read_episodes
from sb3_delta_waypoint.episodes.writer import write_episode
from sb3_delta_waypoint.sft.training import save_run, train_sft


def arc_drive(number: int, n_frames: int, horizon_steps: int) -> Episode:
    """Return a drive along random arcs, a new one every second, at a random speed."""
    rng = np.random.default_rng(number)
    speed = rng.uniform(3.0, 10.0)
    curvature = np.repeat(rng.uniform(-0.1, 0.1, n_frames // 10 + 1), 10)[:n_frames, None]

    def ahead(distance: np.ndarray) -> np.ndarray:
        angle = curvature * distance
        chord = distance * np.sinc(angle / (2 * np.pi))
        return np.stack([chord * np.cos(angle / 2), chord * np.sin(angle / 2)], axis=-1)

    states = np.concatenate([curvature * 0 + speed, np.arctan(2.8 * curvature), speed * curvature, curvature * 0], axis=1)
    return Episode(
        episode_id=f"arc-{number}",
        domain="synthetic",
        source={"dataset": "arcs", "split": "train", "scene_id": str(number)},
        path=Path(),
        t=0.1 * np.arange(n_frames),
        observations={"state": states, "route": ahead(3.0 * np.arange(1, 11))},
        waypoints=ahead(0.1 * speed * np.arange(1, horizon_steps + 1)),
        dt=0.1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=130)
    parser.add_argument("--horizon-steps", type=int, default=20)
    parser.add_argument("--num-steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=256)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        for number in range(args.episodes):
            write_episode(f"{folder}/{number % 10}/arc-{number}.json", arc_drive(number, args.frames, args.horizon_steps))
        written = now()
        episodes, _ = read_episodes(f"{folder}/**/*.json")
        read = now()
        result = train_sft(episodes, num_steps=args.num_steps, batch_size=args.batch_size)
        save_run(result, f"{folder}/run")
        trained = now()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{args.episodes} episodes, {sum(map(len, episodes))} frames, {args.num_steps} steps of batch {args.batch_size}")
    print("            wall   CPU (s)")
    for name, begin, end in (("write", start, written), ("read", written, read), ("train", read, trained)):
        print(f"{name:9s} {end[0] - begin[0]:6.1f}  {end[1] - begin[1]:6.1f}")
    print(f"read+train{trained[0] - written[0]:6.1f}  {trained[1] - written[1]:6.1f}   budget 60")
    print(f"peak memory {peak / 1e9:.2f} GB, budget 1.5 GB")
    print(f"held-out ADE {result.metrics['validation_ade']:.3f} m")


def now() -> tuple[float, float]:
    """Return wall-clock time and CPU time of this process, seconds."""
    return time.perf_counter(), time.process_time()


if __name__ == "__main__":
    main()
