"""The design-change suite: patches, paired episodes, intervals, retention, and the commands."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ElementTree

import gymnasium
import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

import rlx
from rlx.envs.roguelike import RoguelikeEnv, RoguelikeVectorEnv, design_id, load
from rlx.envs.roguelike.records import OBSERVATIONS
from rlx.envs.roguelike.suite import bench, difference, episodes, report
from rlx.envs.roguelike.suite.__main__ import oracle_text
from rlx.envs.roguelike.suite.episodes import Setup, play
from rlx.envs.roguelike.suite.patches import STRENGTHS, load_changed, patches
from rlx.envs.roguelike.suite.statistics import mcnemar, paired_shares, retention, shares, wilson
from rlx.registry import cli

BASE = load("base")
CASES = [(patch, strength) for patch in patches() for strength in STRENGTHS]
NAMED = {patch.name: patch for patch in patches()}


def changed(name: str, strength: str = "strong"):
    return NAMED[name].apply(BASE, strength)


def item(design, name: str):
    return next(one for one in design.items if one.name == name)


def damage(design) -> dict[str, tuple[float, float, float]]:
    return {one.name: (one.dice, one.sides, one.bonus) for one in design.items if hasattr(one, "sides")}


# ------------------------------------------------------------------------------------------------------------- patches


def test_patches_come_in_six_families_and_differ():
    assert len({patch.family for patch in patches()}) == 6
    ids = [design_id(patch.apply(BASE, strength)) for patch, strength in CASES]
    assert len(CASES) == 78 and len({design_id(BASE), *ids}) == 79


@pytest.mark.parametrize("obs", OBSERVATIONS)
def test_observations_and_actions_are_those_of_the_base_design(obs):
    base = RoguelikeEnv(obs=obs)
    for patch, strength in CASES:
        env = RoguelikeEnv(obs=obs, design=patch.apply(BASE, strength))
        assert env.observation_space == base.observation_space and env.action_space == base.action_space
        observation, info = env.reset(seed=0)
        assert observation in env.observation_space
        assert env.step(int(np.argmax(info["action_mask"])))[0] in env.observation_space


def test_patched_designs_keep_the_rules_of_files():
    for patch, strength in CASES:
        design = patch.apply(BASE, strength)
        ids = [one.id for one in design.items]
        assert len(set(ids)) == len(ids) and min(ids) >= 1 and max(ids) <= 24
        assert any(one.weight for one in design.items)
        assert {type(one) for one in design.items} == {type(one) for one in BASE.items}
        assert design.start == design.curriculum[-1].start and design.start.loot_low <= design.start.loot_high


def test_numbers_are_moved_for_those_who_are_named():
    melee, base = damage(changed("melee_up")), damage(BASE)
    assert {name: melee[name][2] - base[name][2] for name in base} == {
        "sword": 3, "long_sword": 3, "bastard_sword": 3, "bow": 0, "long_bow": 0, "darkmoon_bow": 0,
    }  # fmt: skip
    stats = {actor.name: (actor.attack, actor.dexterity) for actor in changed("target_bow", "medium").actors}
    assert stats == {"archer": (0, 4), "warrior": (4, 0), "ranger": (3, 3), "player": (1, 5), "boss": (5, 4)}
    stats = {actor.name: (actor.attack, actor.dexterity) for actor in changed("npcs_bow").actors}
    assert stats == {
        "archer": (0, 7),
        "warrior": (1, 3),
        "ranger": (0, 6),
        "player": (3, 3),
        "boss": (2, 7),
    }  # 0 is least
    assert changed("loot_scarce").start.loot_high == 0.0
    crates = changed("crates_many").room
    assert (crates.crates_low, crates.crates_high) == (0.16, 0.3)


def test_ranks_are_permuted():
    sword, long, bastard = (damage(BASE)[name] for name in ("sword", "long_sword", "bastard_sword"))
    for strength, expected in {
        "weak": (sword, bastard, long), "medium": (bastard, sword, long), "strong": (bastard, long, sword),
    }.items():  # fmt: skip
        design = changed("melee_ranks", strength)
        assert tuple(damage(design)[name] for name in ("sword", "long_sword", "bastard_sword")) == expected
        assert [(one.id, one.weight, one.is_start) for one in design.items] == [
            (one.id, one.weight, one.is_start) for one in BASE.items
        ]
    potions = changed("item_ranks", "weak")
    assert item(potions, "health_potion").attack == 2 and item(potions, "buff_potion").heal == 5


def test_drop_tables_are_moved():
    weights = {one.name: one.weight for one in changed("drops_worst").items}
    assert weights["sword"] == pytest.approx(0.5 / 2.3) and weights["health_potion"] == pytest.approx(1.3 / 2.3)
    assert weights["long_sword"] == weights["buff_potion"] == 0.0
    weak = {one.name: one.weight for one in changed("drops_best", "weak").items}
    assert weak["long_sword"] == pytest.approx(0.667 * 0.4 / 2.3)
    uniform = [one.weight for one in changed("drops_uniform").items]
    assert uniform == pytest.approx([1 / 8] * 8)
    assert sum(item(changed("potions_rare"), name).weight for name in ("health_potion", "buff_potion")) == 0.0


def test_items_come_go_and_are_renamed():
    better = changed("better_items")
    assert [(one.name, one.id) for one in better.items[8:]] == [
        ("better_melee_1", 9), ("better_melee_2", 10), ("better_bow_1", 11), ("better_bow_2", 12),
        ("better_potion_1", 13), ("better_potion_2", 14),
    ]  # fmt: skip
    assert damage(better)["better_melee_2"] == (1, 8, 4) and item(better, "better_melee_1").weight == pytest.approx(
        1 / 6
    )
    assert damage(changed("worse_items"))["worse_bow_2"] == (1, 4, -3)
    assert [one.name for one in changed("items_gone").items] == ["health_potion", "sword", "bow"]
    renamed = changed("items_renamed")
    assert not {one.id for one in renamed.items} & {one.id for one in BASE.items}
    assert damage(renamed) == damage(BASE)


def test_rooms_become_small():
    (holes,) = changed("rooms_small").room.holes
    assert holes.count(".") == min(shape.count(".") for shape in BASE.room.holes)


def test_patches_fit_other_designs(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        'extends = "base"\nremove = ["items.bow", "items.long_bow", "items.darkmoon_bow", "items.buff_potion"]\n'
        '[items.spear]\nid = 24\nkind = "melee"\ndamage = "4d12+12"\nweight = 10\n[room]\ncrates = [0, 0]\n'
    )
    mine = load(file)
    for patch, strength in CASES:
        patch.apply(mine, strength)
    assert item(NAMED["melee_up"].apply(mine, "weak"), "spear").bonus == 12  # the most that designs allow
    same = {patch.name for patch, s in CASES if design_id(patch.apply(mine, s)) == design_id(mine)}
    assert same == {"bow_up", "bow_range", "bow_ranks", "bows_rare", "crates_many"}


def test_names_may_carry_patches(tmp_path):
    both = load_changed("base+melee_up:weak+bow_up:strong")
    assert both == dataclasses.replace(NAMED["bow_up"].apply(changed("melee_up", "weak"), "strong"), name=both.name)
    with pytest.raises(ValueError, match=r"'melee_ap' is unknown. Allowed: melee_up, bow_up"):
        load_changed("base+melee_ap:weak")
    with pytest.raises(ValueError, match="strength = 'huge' is unknown. Allowed: weak, medium, strong"):
        load_changed("base+melee_up:huge")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a.b]\nadd = ", "is no TOML"),
        ("[a.b]\nsubtract = {'melee.bonus' = [1, 2, 3]}", r"\[a.b\]: there is no edit 'subtract'. Edits: add, scale"),
        ("[a.b]\nadd = {'melee.bonus' = [1, 2]}", "add.melee.bonus needs three values: weak, medium, strong"),
        ("[a.b]\nadd = {'melee.bonos' = [1, 2, 3]}", "'bonos' is unknown. Allowed: weight, dice, sides, bonus"),
        ("[a.b]\nadd = {'axe.bonus' = [1, 2, 3]}", "'axe' is unknown. Allowed: melee, bow, potion, npc"),
        ("[a.b]\npermute = {melee = [1, 2, 3]}", "1 is unknown. Allowed: swap, rotate, reverse"),
        ("[a.b]\nsmallest = {walls = [3, 2, 1]}", "'walls' is unknown. Allowed: holes, columns"),
    ],
)
def test_files_of_patches_are_checked(tmp_path, text, message):
    file = tmp_path / "patches.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        for patch in patches(file):
            patch.apply(BASE, "weak")


# ------------------------------------------------------------------------------------------------------------ episodes


def starts(design, n: int = 200) -> np.ndarray:
    envs = RoguelikeVectorEnv(n, design=design)
    envs.reset(seed=0)
    return envs.save_state().states


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("melee_up", set()),
        ("weapon_ranks", set()),
        ("drops_worst", {"item"}),
        ("target_bow", set()),
        ("defence_down", set()),
        ("better_items", {"item"}),
        ("items_renamed", {"item", "equipment"}),
    ],
)
def test_the_same_seeds_start_the_same_games_but_for_what_is_changed(name, moved):
    before, after = starts(BASE), starts(changed(name))
    fields = ("tile", "item", "cell", "hp", "equipment", "streams")
    assert {field for field in fields if (before[field] != after[field]).any()} == moved
    assert ((before["item"] > 0) == (after["item"] > 0)).all()  # loot lies in the same places


def test_the_same_dice_are_rolled():
    stronger = changed("melee_up")
    dealt, streams = [], []
    for design in (BASE, stronger):
        envs = RoguelikeVectorEnv(4000, design=design, npc_class="warrior", opponent="still")
        _, info = envs.reset(seed=0)
        before = envs.save_state().states
        actions = np.argmax(info["action_mask"], axis=1)
        envs.step(actions)
        after = envs.save_state().states
        dealt.append(after["dealt"][:, 0])
        streams.append(after["streams"])
    assert (streams[0] == streams[1]).all()
    struck = (dealt[0] > 0) & (before["hp"][:, 1] >= dealt[0] + 3)
    assert (
        struck.sum() > 20 and (dealt[1] - dealt[0] == 3)[struck].all() and (dealt[1] == dealt[0])[dealt[1] == 0].all()
    )


def test_experts_play_as_in_single_environments(monkeypatch):
    monkeypatch.setattr(episodes, "BATCH", 5)
    setup = Setup("archer", "kiter", 4, "dense")
    found = play("greedy", changed("bow_range"), setup, 12, first_seed=7)
    env = gymnasium.make(episodes.ENV_ID, design=changed("bow_range"), **dataclasses.asdict(setup))
    expert = rlx.make_expert(env, "greedy")
    for k in range(12):
        observation, info = env.reset(seed=7 + k)
        expert.reset()
        is_over, length = False, 0
        while not is_over:
            observation, _, terminated, truncated, info = env.step(expert.act(observation, info))
            is_over, length = terminated or truncated, length + 1
        assert found[info["result"]][k] == 1.0 and found["length"][k] == length
        for signal in ("damage_dealt", "damage_taken", "potions", "pickups"):
            assert found[signal][k] == info["signals"][signal]
    assert (found["win"] + found["loss"] + found["timeout"] == 1.0).all()


def test_uses_of_items_are_counted():
    found = play("greedy", BASE, episodes=100)
    assert (found["use.health_potion"] + found["use.buff_potion"] == found["potions"]).all()
    archer = play("kiter", BASE, Setup("archer"), 100)
    shots = sum(archer[f"use.{bow}"] for bow in ("bow", "long_bow", "darkmoon_bow"))
    strikes = sum(archer[f"use.{sword}"] for sword in ("sword", "long_sword", "bastard_sword"))
    assert shots.sum() > 10 * strikes.sum() > 0
    assert (shots + strikes + archer["potions"] <= archer["length"]).all()


class FirstLegal:
    """Takes the first legal action; and remembers, as a policy may."""

    def __init__(self, is_batched: bool) -> None:
        self.is_batched = is_batched

    def reset(self) -> None:
        self.steps = 0

    def act(self, observation, info):
        self.steps += 1
        if not self.is_batched:
            assert self.steps == info["signals"]["decisions"] + 1 and observation["global"].shape == (10, 10)
        assert observation in RoguelikeEnv().observation_space or self.is_batched
        return np.argmax(info["action_mask"], axis=-1)


def test_policies_from_files_see_one_game_or_many(monkeypatch):
    found = []
    for is_batched in (False, True):
        monkeypatch.setattr(episodes, "read_policy", lambda path, b=is_batched: FirstLegal(b))
        found.append(play("some.npz", BASE, episodes=20))
    assert all((found[0][name] == found[1][name]).all() for name in found[0])


def test_policies_that_do_not_fit_are_told(monkeypatch):
    with pytest.raises(ValueError, match=r"no policy at nobody.*Experts are: chaser, .*random"):
        play("nobody", BASE)
    policy = FirstLegal(True)
    monkeypatch.setattr(policy, "act", lambda observation, info: observation["entities"])
    monkeypatch.setattr(episodes, "read_policy", lambda path: policy)
    with pytest.raises(ValueError, match="cannot act on what obs = 'dense' shows .'entities'.*ids, dense or entities"):
        play("some.npz", BASE, Setup(obs="dense"))


def test_somebody_must_play_the_other_side():
    with pytest.raises(ValueError, match="opponent = 'external': here the other side must be played"):
        Setup(opponent="external")


# ---------------------------------------------------------------------------------------------------------- statistics


@pytest.mark.parametrize(("hits", "trials"), [(0, 20), (1, 7), (81, 263), (20, 20)])
def test_wilson_is_scipys(hits, trials):
    interval = binomtest(hits, trials).proportion_ci(method="wilson")
    assert wilson(hits, trials) == pytest.approx((hits / trials, interval.low, interval.high), abs=1e-12)


def outcomes(both: int, ours: int, theirs: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        np.repeat([1.0, 1.0, 0.0, 0.0], (both, ours, theirs, neither)),
        np.repeat([1.0, 0.0, 1.0, 0.0], (both, ours, theirs, neither)),
    )


def test_differences_on_the_same_episodes():
    # Before and after a transplantation: Bentur et al. 2009, the example of Fagerland, Lydersen and Laake, "Recommended
    # tests and confidence intervals for paired binomial proportions", Statistics in Medicine 33 (2014).
    ours, theirs = outcomes(1, 1, 7, 12)
    assert paired_shares(ours, theirs) == pytest.approx((-6 / 21, -0.507, -0.026), abs=5e-4)
    value, low, high = paired_shares(theirs, ours)
    assert (-value, -high, -low) == pytest.approx(paired_shares(ours, theirs))
    assert mcnemar(ours, theirs) == pytest.approx(binomtest(1, 8).pvalue)
    assert mcnemar(ours, ours) == 1.0
    never = paired_shares(np.ones(100), np.ones(100))
    assert never.value == 0.0 and never.low < 0.0 < never.high


def test_differences_are_covered():
    rng = np.random.default_rng(0)
    table, n, hits = np.array([0.45, 0.1, 0.2, 0.25]), 100, 0
    for _ in range(1000):
        _, low, high = paired_shares(*outcomes(*rng.multinomial(n, table)))
        hits += low <= table[1] - table[2] <= high
    assert 0.93 <= hits / 1000 <= 0.99


def test_bootstrap_samples_are_shares():
    drawn = shares(50, resamples=400)
    assert drawn.shape == (400, 50) and np.allclose(drawn.sum(axis=1), 1.0)
    values = np.random.default_rng(0).normal(size=50)
    assert (drawn @ values).std() == pytest.approx(values.std() / 50**0.5, rel=0.1)


# --------------------------------------------------------------------------------------------------------------- bench


def some(*names: str):
    return [NAMED[name] for name in names]


def test_retention_by_hand():
    assert retention(0.5, 0.1, 0.9) == 0.5
    ids = [design_id(BASE), *(design_id(changed("melee_up", strength)) for strength in STRENGTHS)]
    numbers = bench.Oracle("someone", {ids[0]: (0.8, 1000), ids[2]: (0.9, 1000), ids[3]: (0.1, 1000)})
    found = bench.run("greedy", episodes=200, patches=some("melee_up"), oracle=numbers)
    base, weak, medium, strong = found.designs
    assert weak.oracle is None and weak.retention is None  # not known
    assert strong.oracle is None and strong.random > 0.0  # hardly better than random play
    expected = (medium.win.value - medium.random) / (0.9 - medium.random)
    assert medium.retention.value == pytest.approx(expected)
    assert medium.retention.low < expected < medium.retention.high
    assert base.change.value == 0.0 and medium.change.value == pytest.approx(medium.win.value - base.win.value)
    assert found.profile["item_values"].known == 1 and found.worst == "melee_up:medium"
    assert found.profile["all"].retention.value == pytest.approx(expected)
    assert found.profile["all"].change.value == pytest.approx(
        np.mean([one.change.value for one in (weak, medium, strong)])
    )


def test_bench_without_an_oracle_orders_by_wins():
    found = bench.run("greedy", episodes=200, patches=some("loot_scarce", "items_renamed"))
    losses = {f"{one.patch}:{one.strength}": one.change.value for one in found.designs[1:]}
    assert found.worst == min(losses, key=losses.__getitem__) and found.profile["all"].retention is None
    assert [losses[f"items_renamed:{strength}"] for strength in STRENGTHS] == [0.0] * 3  # experts know the rules
    assert "Retention is left out" in report.caveat(found)


def test_what_changes_nothing_is_left_out():
    bare = dataclasses.replace(BASE, items=tuple(one for one in BASE.items if "bow" not in one.name))
    found = bench.run("chaser", bare, episodes=4, patches=some("bow_up", "melee_up"))
    assert found.unchanged == ("bow_up:weak", "bow_up:medium", "bow_up:strong") and len(found.designs) == 4
    assert "bow_up:medium" in report.caveat(found)
    with pytest.raises(ValueError, match="None of the 3 patches changes the design 'base'"):
        bench.run("chaser", bare, patches=some("bow_up"))


def test_oracles_are_read_where_they_fit(tmp_path):
    setup, file = Setup(obs="dense"), tmp_path / "bench.json"
    found = bench.run("greedy", setup=setup, episodes=20, patches=some("bow_up"))
    found.save(file)
    numbers = bench.read_oracle(file, Setup())  # who knows the game may see it otherwise
    assert numbers.name == "greedy" and numbers.wins[design_id(BASE)] == (found.designs[0].win.value, 20)
    assert len(numbers.wins) == 4
    with pytest.raises(ValueError, match="npc_class='ranger'.*not how games are set up here"):
        bench.read_oracle(file, Setup(npc_class="archer"))
    file.write_text(oracle_text(found))
    assert bench.read_oracle(file, Setup()) == numbers
    assert bench.read_oracle(None, Setup(npc_class="archer")) is None
    file.write_text("{}")
    with pytest.raises(ValueError, match="holds no oracle's numbers"):
        bench.read_oracle(file, Setup())


def test_the_shipped_oracle_is_of_the_suites_designs():
    numbers = bench.read_oracle(None, Setup())
    assert set(numbers.wins) == {design_id(BASE), *(design_id(patch.apply(BASE, s)) for patch, s in CASES)}
    wins, n = numbers.wins[design_id(BASE)]
    again = play("search", BASE, episodes=40)["win"]
    assert n == 1000 and abs(again.mean() - wins) < 4 * (wins * (1 - wins) / 40) ** 0.5


def test_classes_fight_each_other():
    wins = bench.balance("base", "chaser", 100)
    names = [actor.name for actor in BASE.actors]
    assert list(wins) == names and all(list(row) == names for row in wins.values())
    assert wins["boss"]["warrior"].value > wins["warrior"]["boss"].value
    assert wins["ranger"] == wins["player"]  # the same stats


def test_difference_between_designs():
    after = changed("items_gone")
    found = difference.compare("greedy", BASE, after, episodes=300)
    assert found.designs == (("base", design_id(BASE)), ("base+items_gone:strong", design_id(after)))
    before, then, change = found.changes["use.long_sword"]
    assert then.value == 0.0 and change.value == -before.value < change.high < 0.0
    length = found.changes["length"]
    assert length.difference.value == pytest.approx(length.after.value - length.before.value)
    assert length.difference.low < length.difference.value < length.difference.high
    assert sum(found.changes[result].after.value for result in bench.RESULTS) == pytest.approx(1.0)


# ------------------------------------------------------------------------------------------------------------ commands


def rogue(*arguments: str, code: int = 0):
    done = CliRunner().invoke(cli.app, ["rogue", *arguments], env={"COLUMNS": "120"})
    assert done.exit_code == code, done.output
    return done


def test_design_check(tmp_path):
    assert rogue("design-check", "base").output == f"ok, {design_id(BASE)}\n"
    file = tmp_path / "mine.toml"
    file.write_text('extends = "base"\n\n[items.sword]\ndamage = "1e4"\n')
    error = rogue("design-check", str(file), code=1).exception
    assert str(error).startswith("mine.toml:4: items.sword.damage")


def test_design_diff(tmp_path):
    file = tmp_path / "diff.json"
    shown = rogue("design-diff", "base", "base+loot_scarce:strong", "--policy", "greedy", "--episodes", "50",
                  "--npc-class", "warrior", "--out", str(file)).output  # fmt: skip
    assert "win, %" in shown and "used: long sword" in shown and "McNemar" in shown
    told = json.loads(file.read_text())
    assert told["setup"]["npc_class"] == "warrior" and told["changes"]["pickups"]["after"]["value"] == 0.0
    expected = play("greedy", changed("loot_scarce"), Setup("warrior"), 50)
    assert told["changes"]["win"]["after"]["value"] == expected["win"].mean()


def test_bench(tmp_path):
    out, file = tmp_path / "out", tmp_path / "patches.toml"
    file.write_text("[mine.dull]\nsummary = 'dull'\nadd = {'melee.bonus' = [-1, -2, -3], 'bow.bonus' = [0, 0, -1]}\n")
    options = ("--episodes", "20", "--patches", str(file), "--out", str(out))
    shown = rogue("bench", "--policy", "chaser", *options, "--balance").output
    assert "mine" in shown and "Retention is left out" in shown and "kiter on both sides" in shown
    page = (out / "bench.md").read_text()
    assert "| dull |" in page and "heat_map.svg" in page and "| `greedy`: npc \\ target | archer |" in page
    told = json.loads((out / "bench.json").read_text())
    assert [one["strength"] for one in told["designs"]] == ["", *STRENGTHS]
    picture = ElementTree.fromstring((out / "heat_map.svg").read_text())
    assert len(picture.findall(".//{*}rect/{*}title")) == 3

    # A bench serves as an oracle; who is the oracle keeps everything.
    (out / "bench.json").rename(tmp_path / "oracle.json")
    rogue("bench", "--policy", "chaser", *options, "--oracle", str(tmp_path / "oracle.json"))
    told = json.loads((out / "bench.json").read_text())
    assert [one["retention"]["value"] for one in told["designs"]] == [1.0] * 4 and told["oracle"] == "chaser"
    picture = ElementTree.fromstring((out / "heat_map.svg").read_text())
    assert len(picture.findall(".//{*}rect/{*}title")) == 6


def test_an_environment_takes_a_patched_design():
    env = gymnasium.make("rlx/RoguelikeNPC-v0", design="base+item_ranks:strong")
    changed = design_id(load_changed("base+item_ranks:strong"))
    assert env.reset(seed=0)[1]["design_id"] == changed != design_id(load("base"))
    with pytest.raises(ValueError, match="'item_rank' is unknown. Allowed: melee_up"):
        gymnasium.make("rlx/RoguelikeNPC-v0", design="base+item_rank:strong")
