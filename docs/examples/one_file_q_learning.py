"""Q-learning in one file, as CleanRL writes learners, on a native vector environment.

    pip install "rlx[sc2,baselines]"
    python docs/examples/one_file_q_learning.py --steps 300000

What is particular about a vector environment: an ended episode restarts with the next step, whose reward is 0 and whose
action is not carried out (NEXT_STEP), so that such rows are no transitions.
"""

import argparse

import gymnasium
import numpy as np
import torch
from torch import nn

import rlx  # noqa: F401  (registers the ids, where the start-up hook is off)

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300_000)
parser.add_argument("--num-envs", type=int, default=64)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

GAMMA, BATCH, REPLAY, RATE = 0.95, 256, 50_000, 5e-4
random, generator = np.random.default_rng(args.seed), torch.manual_seed(args.seed)
torch.set_num_threads(1)

envs = gymnasium.make_vec("rlx/SC2-MoveToBeacon-v0", num_envs=args.num_envs)
size, actions = envs.single_observation_space.shape[0], int(envs.single_action_space.n)


def network() -> nn.Module:
    """Return a fresh network: observation in, a value for each action out."""
    return nn.Sequential(nn.Linear(size, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, actions))


online, target = network(), network()
target.load_state_dict(online.state_dict())
optimizer = torch.optim.Adam(online.parameters(), RATE)
replay = {
    "before": np.zeros((REPLAY, size), np.float32),
    "action": np.zeros(REPLAY, np.int64),
    "reward": np.zeros(REPLAY, np.float32),
    "after": np.zeros((REPLAY, size), np.float32),
    "goes_on": np.zeros(REPLAY, np.float32),
}
count = 0

observation, _ = envs.reset(seed=args.seed)
ended, returns = np.zeros(args.num_envs, bool), []
for step in range(0, args.steps, args.num_envs):
    epsilon = max(0.02, 1.0 - 2.0 * step / args.steps)
    with torch.no_grad():
        action = online(torch.from_numpy(observation)).argmax(dim=1).numpy()
    explores = random.random(args.num_envs) < epsilon
    action = np.where(explores, random.integers(actions, size=args.num_envs), action)
    after, reward, terminated, truncated, info = envs.step(action)

    live = np.flatnonzero(~ended)
    places = (count + np.arange(len(live))) % REPLAY
    columns = {"before": observation, "action": action, "reward": reward, "after": after, "goes_on": ~terminated}
    for name, column in columns.items():
        replay[name][places] = column[live]
    count += len(live)
    ended = terminated | truncated
    if ended.any():
        returns += info["episode_return"][ended].tolist()
    observation = after

    if count >= 2_000:
        for _ in range(2):
            rows = random.integers(min(count, REPLAY), size=BATCH)
            before, taken, paid, later, goes_on = (torch.from_numpy(column[rows]) for column in replay.values())
            with torch.no_grad():
                best = online(later).argmax(dim=1, keepdim=True)
                wanted = paid + GAMMA * goes_on * target(later).gather(1, best).squeeze(1)
            value = online(before).gather(1, taken[:, None]).squeeze(1)
            loss = nn.functional.smooth_l1_loss(value, wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                    slow.lerp_(fast, 0.005)
    if step % (64 * args.num_envs) == 0 and returns:
        print(f"{step:>8} steps, mean return of the last 50 episodes: {np.mean(returns[-50:]):.2f}", flush=True)
print(f"mean return of the last 50 episodes: {np.mean(returns[-50:] or [0.0]):.2f}")
