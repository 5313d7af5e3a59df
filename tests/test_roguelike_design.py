"""Designs as files: what they may say, what errors tell, what an episode may change, and items drawn anew."""

from __future__ import annotations

import dataclasses
import re

import gymnasium
import numpy as np
import pytest

from rlx.envs.core import Parameters, quantity
from rlx.envs.roguelike import DesignError, design_id, load, shipped
from rlx.envs.roguelike import records as r
from rlx.envs.roguelike.design import locate
from rlx.envs.roguelike.env import RoguelikeEnv

# ---------------------------------------------------------------------------------------- parameters in tuples, by name


@dataclasses.dataclass(frozen=True)
class Wheel(Parameters):
    name: str = ""
    radius: float = quantity(0.3, "m", "radius", low=0.1, high=1.0)


@dataclasses.dataclass(frozen=True)
class Cart(Parameters):
    wheels: tuple[Wheel, ...] = (Wheel("front"), Wheel("rear", 0.4))
    mass: float = quantity(10.0, "kg", "mass", low=1.0, high=100.0)
    tags: tuple[str, ...] = ("old",)


def test_members_of_a_tuple_go_by_their_names():
    cart = Cart()
    assert cart.context() == {"wheels.front.radius": 0.3, "wheels.rear.radius": 0.4, "mass": 10.0}
    changed = cart.with_context({"wheels.rear.radius": 0.8})
    assert changed == Cart(wheels=(Wheel("front"), Wheel("rear", 0.8)))
    assert changed.wheels[0] is cart.wheels[0] and cart.with_context({"mass": 10.0}).wheels is cart.wheels
    assert list(cart.context_space()) == ["mass", "wheels.front.radius", "wheels.rear.radius"]
    with pytest.raises(ValueError, match=r"wheels\.rear\.radius = 2.0 is outside \[0\.1, 1\]"):
        cart.with_context({"wheels.rear.radius": 2.0})
    with pytest.raises(ValueError, match=r"Did you mean 'wheels\.rear\.radius'\?"):
        cart.with_context({"wheels.rare.radius": 0.5})


# --------------------------------------------------------------------------------------------------------- what is read


def write(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_base_design_has_the_published_figures():
    base = load("base")
    assert {"base", "paper"} <= set(shipped())
    items = {item.name: item for item in base.items}
    weapons = {
        "sword": (1, 4), "long_sword": (3, 6), "bastard_sword": (1, 8), "bow": (0, 3), "long_bow": (1, 5),
        "darkmoon_bow": (4, 6),
    }  # fmt: skip
    for name, damage in weapons.items():
        item = items[name]
        assert (item.dice + item.bonus, item.dice * item.sides + item.bonus) == damage
    assert (items["health_potion"].heal, items["buff_potion"].duration) == (5, 3)
    assert (items["buff_potion"].attack, items["buff_potion"].defence) == (2, 3)
    skills = {actor.name: (actor.attack, actor.dexterity, actor.defence) for actor in base.actors}
    assert skills["archer"] == (0, 4, 3) and skills["warrior"] == (4, 0, 3)
    assert skills["ranger"] == skills["player"] == (3, 3, 3)
    assert len(base.room.columns) == 6 and len(base.room.holes) == 7
    assert [phase.start.target_hp_high for phase in base.curriculum] == [1, 10, 20, 20, 20]
    assert base.opponent.rule == "chaser" and load("paper").opponent.rule == "random"
    assert dataclasses.replace(load("paper"), name="base", opponent=base.opponent) == base


def test_a_design_extends_another(tmp_path):
    write(tmp_path, 'extends = "base"\n[items.sword]\ndamage = "2d6-1"\n[actors.ranger]\ndefence = 5\n', "first.toml")
    mine = load(
        write(
            tmp_path,
            'extends = "first.toml"\nremove = ["items.long_bow", "actors.boss"]\n\n'
            '[items.spear]\nid = 9\nkind = "melee"\ndamage = "1d6+1"\nweight = 0.3\n\n[actors.ogre]\n'
            "attack = 8\ndexterity = 0\ndefence = 1\n",
        )
    )
    items = {item.name: item for item in mine.items}
    assert (items["sword"].dice, items["sword"].sides, items["sword"].bonus) == (2, 6, -1)
    assert "long_bow" not in items and items["spear"].id == 9
    assert mine.actor("ranger").defence == 5 and mine.actor("ogre").attack == 8
    with pytest.raises(ValueError, match="There is no class 'boss'"):
        mine.actor("boss")
    env = gymnasium.make("rlx/RoguelikeNPC-v0", design=str(tmp_path / "mine.toml"), npc_class="ogre")
    assert env.observation_space == gymnasium.make("rlx/RoguelikeNPC-v0").observation_space
    assert env.reset(seed=0)[1]["design_id"] == design_id(mine) != design_id(load("base"))


def test_the_design_id_is_of_what_counts(tmp_path):
    base = load("base")
    assert re.fullmatch(r"[0-9a-f]{12}", design_id(base))
    same = write(tmp_path, 'extends = "base"\n# nothing changed\n[items.sword]\ndamage = "1d4+0"\n')
    other = write(tmp_path, 'extends = "base"\n[items.sword]\ndamage = "1d4+1"\n', "other.toml")
    assert design_id(load(same)) == design_id(base) != design_id(load(other))
    env = RoguelikeEnv()
    assert env.design_id == design_id(base) == env.reset()[1]["design_id"]
    assert RoguelikeEnv(phase=1, npc_class="archer").design_id == design_id(base)


def test_lines_are_found():
    text = 'a = 1\n[t.u]\n# b = 2\nb.c = """\n[no]\nx = 1\n"""\n[[s]]\nd = 3\n[[s]]\nd = 4\n'
    assert locate(text) == {
        ("a",): 1, ("t",): 2, ("t", "u"): 2, ("t", "u", "b", "c"): 4, ("s",): 8, ("s", "0"): 8, ("s", "0", "d"): 9,
        ("s", "1"): 10, ("s", "1", "d"): 11,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------------ what is refused

ROOM = '[room]\n{} = ["""\n' + "..........\n" * 9 + '{}"""]'
PHASE = "[[curriculum]]\nsteps = 0\nnpc_hp = [5, 20]\ntarget_hp = {}\nloot = {}"
AXE = '[items.axe]\nid = {}\nkind = "{}"'
LOOT = ("health_potion", "buff_potion", "long_sword", "bastard_sword", "long_bow", "darkmoon_bow")

#: What follows the line ``extends = "base"``, and what is said.
MISTAKES = [
    ("[items.sword", "mine.toml:2: this is no TOML"),
    ('remove = ["items.axe"]', """remove = ["items.axe"]: the design that this one extends has no 'items.axe'."""),
    ('remove = ["loot"]', "mine.toml:1: loot: this section is missing."),
    # Unknown keys
    ('\n[items.sword]\ndamge = "1d6"', """mine.toml:4: items.sword.damge = "1d6": this key is unknown. Did you mean"""),
    ("[reward]\nvictory = 1.0", "mine.toml:3: reward.victory = 1.0: this key is unknown. Allowed: step,"),
    ("[itmes.sword]", """mine.toml:2: itmes = {"sword": {}}: this key is unknown. Did you mean 'items'"""),
    # Dice
    ('[items.sword]\ndamage = "1d0"', """mine.toml:3: items.sword.damage = "1d0": sides = 0 is outside [1, 12]."""),
    ('[items.sword]\ndamage = "d6"', """mine.toml:3: items.sword.damage = "d6": dice read "1d4", "1d4+2" or"""),
    ("[items.sword]\ndamage = 4", "mine.toml:3: items.sword.damage = 4: dice read"),
    # Items
    (AXE.format(3, 'melee"\ndamage = "1d6'), "mine.toml:3: items.axe.id = 3: items.sword has this id already."),
    (AXE.format(25, 'melee"\ndamage = "1d6'), "mine.toml:3: items.axe.id = 25: an id is a whole number from 1 to 24."),
    (AXE.format(9, "axe"), """mine.toml:4: items.axe.kind = "axe": allowed are 'melee', 'bow', 'potion'."""),
    (AXE.format(9, "melee"), "mine.toml:2: items.axe.damage: this key is missing in [items.axe]."),
    (AXE.format(9, "potion"), "a potion needs heal, or attack or defence with a duration."),
    ("[items.buff_potion]\nduration = 0", "mine.toml:3: items.buff_potion.duration = 0: attack and defence last"),
    ("[items.bow]\nrange = 10", "mine.toml:3: items.bow.range = 10: a whole number from 0 to 9 is needed"),
    ("[items.bow]\nrange = 2.5", "mine.toml:3: items.bow.range = 2.5: a whole number from 0 to 9 is needed"),
    ("[items.bow]\nweight = -1", "mine.toml:3: items.bow.weight = -1: a number from 0 to 10 is needed (weight in the"),
    ("[items.bow]\nstart = 1", "mine.toml:3: items.bow.start = 1: true or false is needed."),
    (f"remove = {[f'items.{name}' for name in LOOT]}", "no item has a weight, so that nothing can lie in the room."),
    # Actors, opponent
    ("[actors.ranger]\nattack = 11", "mine.toml:3: actors.ranger.attack = 11: a whole number from 0 to 10 is needed"),
    ("[actors.ogre]\nattack = 1\ndexterity = 1", "mine.toml:2: actors.ogre.defence: this key is missing"),
    ('[opponent]\nrule = "wizard"', """mine.toml:3: opponent.rule = "wizard": allowed are 'external', """),
    ('remove = ["actors.player"]', """opponent.actor = "player": allowed are 'archer', 'warrior', 'ranger', 'boss'."""),
    # Turn, loot, curriculum
    ("[turn]\npotion_keeps_turn = 1", "mine.toml:3: turn.potion_keeps_turn = 1: true or false is needed."),
    ('[loot]\ndistribution = "odd"', """mine.toml:3: loot.distribution = "odd": allowed are 'table', 'procedural'."""),
    (PHASE.format("[20, 10]", "[0, 0]"), "mine.toml:5: curriculum.0.target_hp = [20, 10]: the smaller number comes"),
    (PHASE.format("[10]", "[0, 0]"), "mine.toml:5: curriculum.0.target_hp = [10]: two numbers are needed"),
    (PHASE.format("[10, 20]", "[0, 0.5]"), "mine.toml:6: curriculum.0.loot = [0, 0.5]: a number from 0 to 0.2"),
    # Rooms
    (ROOM.format("columns", "........."), "shape 1 is not 10 lines of 10 characters '.' or '#'."),
    (ROOM.format("holes", ".........#"), "shape 1 is not 10 lines of 10 characters '.' or 'x'."),
    (ROOM.format("columns", "..........").replace("....", "####"), "with the holes, a room may have"),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES, ids=[str(number) for number in range(len(MISTAKES))])
def test_mistakes_are_told_with_their_line(tmp_path, change, message):
    with pytest.raises(DesignError, match=re.escape(message)) as caught:
        load(write(tmp_path, f'extends = "base"\n{change}\n'))
    assert "\n" not in str(caught.value)


def test_sections_and_files_that_are_missing_are_told(tmp_path):
    with pytest.raises(DesignError, match=r"mine\.toml:1: turn: this section is missing\."):
        load(write(tmp_path, "max_hp = 20\n"))
    with pytest.raises(DesignError, match=r'mine\.toml:1: extends = "nothing": this is no file .* Shipped are: base, '):
        load(write(tmp_path, 'extends = "nothing"\n'))


def test_a_mistake_in_what_is_extended_is_told_with_its_own_line(tmp_path):
    write(tmp_path, 'extends = "base"\n\n\n[items.sword]\ndamage = "1d99"\n', "first.toml")
    with pytest.raises(DesignError, match=re.escape('first.toml:5: items.sword.damage = "1d99"')):
        load(write(tmp_path, 'extends = "first.toml"\n'))


# ---------------------------------------------------------------------------------------------- what an episode changes


def test_a_context_changes_items_classes_and_rooms():
    env = RoguelikeEnv()
    context = {
        "items.sword.bonus": 3.0, "items.bow.range": 6.4, "actors.ranger.dexterity": 5.0, "start.loot_low": 0.0,
        "start.loot_high": 0.0, "room.crates_low": 0.3, "room.crates_high": 0.1, "max_hp": 30.0,
    }  # fmt: skip
    _, info = env.reset(seed=0, options={"context": context})
    assert {name: info["context"][name] for name in context} == context
    game, row = env._states[0], env._rows[0]
    assert game["table"][3][r.BONUS] == 3 and game["table"][6][r.RANGE] == 6  # rounded
    assert row["dexterity"][0] == 5 and row["dexterity"][1] == 3  # the player's class is another
    assert not game["item"].any() and (game["tile"] == r.CRATE).sum() > 10
    env.reset(seed=0)
    assert env._states[0]["table"][3][r.BONUS] == 0


def test_any_context_can_be_played():
    """Even where no item has a weight, and least is more than most."""
    env = RoguelikeEnv(obs="dense")
    for name, box in env.context_space.items():
        for value in (box.low, box.high):
            env.reset(seed=1, options={"context": {name: float(value)}})
    nothing = {name: 0.0 for name in env.context_space if name.endswith(".weight")}
    env.reset(seed=1, options={"context": nothing})
    assert not env._states[0]["item"].any()


# ----------------------------------------------------------------------------------------------------- items drawn anew


@pytest.fixture
def procedural(tmp_path):
    return load(write(tmp_path, 'extends = "base"\n[loot]\ndistribution = "procedural"\n', "procedural.toml"))


def tables(design, count=300, **context):
    env = RoguelikeEnv(design=design, obs="dense")
    for seed in range(count):
        observation, _ = env.reset(seed=seed, options={"context": context})
        assert env.observation_space.contains(observation)
        yield env._states[0]["table"].copy()


def test_procedural_items_differ_between_episodes_and_cover_their_ranges(procedural):
    found = list(tables(procedural))
    swords = np.array([table[3] for table in found])
    least, most = swords[:, r.DICE] + swords[:, r.BONUS], swords[:, r.DICE] * swords[:, r.SIDES] + swords[:, r.BONUS]
    assert set(least.tolist()) == {0, 1, 2, 3, 4} and set((most - least).tolist()) == {0, 1, 2, 3, 4}
    potions = np.array([table[1] for table in found])
    assert set((potions[:, r.HEAL] > 0).tolist()) == {False, True}
    assert ((potions[:, r.HEAL] > 0) == (potions[:, r.DURATION] == 0)).all()
    assert all((table[:, r.KIND] == found[0][:, r.KIND]).all() for table in found)
    again = list(tables(procedural, 5))
    assert all((one == other).all() for one, other in zip(found, again, strict=False))


def test_skew_makes_procedural_items_weaker(procedural):
    means = [
        np.mean([table[3, r.SIDES] + table[3, r.BONUS] for table in tables(procedural, **{"loot.alpha": alpha})])
        for alpha in (0.5, 1.0, 3.0)
    ]
    assert means[0] > means[1] + 0.5 > means[2] + 1.0


def test_what_items_are_does_not_move_the_level(procedural):
    plain, drawn = RoguelikeEnv(), RoguelikeEnv(design=procedural)
    for seed in range(20):
        plain.reset(seed=seed)
        drawn.reset(seed=seed)
        one, other = plain._states[0], drawn._states[0]
        assert (one["tile"] == other["tile"]).all() and (one["cell"] == other["cell"]).all()
        assert ((one["item"] > 0) == (other["item"] > 0)).all()
