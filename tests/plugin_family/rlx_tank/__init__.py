"""A family of environments in a distribution of its own: water tanks."""

FAMILY = {
    "name": "tank",
    "title": "Water tanks",
    "environments": (
        {
            "id": "rlx/Tank-v0",
            "entry_point": "rlx_tank.env:TankEnv",
            "vector_entry_point": "rlx_tank.env:TankVectorEnv",
            "max_episode_steps": 300,
            "summary": "Hold the level of a leaking tank in the rain.",
            "tags": ("continuous", "control"),
            "experts": {"feedforward": "rlx_tank.experts:Feedforward"},
        },
    ),
}
