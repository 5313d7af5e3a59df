"""Makes tests/data/stl_panda_kinematics.json: where Pinocchio puts the flange of a Franka Emika Panda.

python -m venv panda && panda/bin/pip install pin example-robot-data
panda/bin/python tests/support/stl_panda.py > tests/data/stl_panda_kinematics.json
"""

import importlib.metadata
import json
import sysconfig
from pathlib import Path

import numpy as np
import pinocchio

ROBOTS = Path(sysconfig.get_path("purelib"), "cmeel.prefix/share/example-robot-data/robots")
READY = [0.0, -np.pi / 4, 0.0, -3 * np.pi / 4, 0.0, np.pi / 2, np.pi / 4]

model = pinocchio.buildModelFromUrdf(str(ROBOTS / "panda_description/urdf/panda.urdf"))
data, frame = model.createData(), model.getFrameId("panda_link8")
lower, upper = model.lowerPositionLimit[:7], model.upperPositionLimit[:7]
generator = np.random.default_rng(20231107)
poses = [np.zeros(7), np.array(READY), *(np.round(generator.uniform(lower, upper), 6) for _ in range(30))]
cases = []
for q in poses:
    configuration = pinocchio.neutral(model)
    configuration[:7] = q
    pinocchio.forwardKinematics(model, data, configuration)
    pinocchio.updateFramePlacements(model, data)
    cases.append({"q": q.tolist(), "flange": data.oMf[frame].translation.tolist()})
versions = {name: importlib.metadata.version(name) for name in ("pin", "example-robot-data")}
source = (
    f"Pinocchio {versions['pin']} on panda.urdf of example-robot-data {versions['example-robot-data']}, frame "
    "panda_link8; q in rad, flange in m from the base. The zero pose, Franka's ready pose, and 30 poses drawn within "
    "the limits. Made by tests/support/stl_panda.py."
)
lines = ",\n".join(f"  {json.dumps(case)}" for case in cases)
limits = json.dumps({"lower": lower.tolist(), "upper": upper.tolist()})
print(f'{{\n "source": {json.dumps(source)},\n "limits": {limits},\n "cases": [\n{lines}\n ]\n}}')
