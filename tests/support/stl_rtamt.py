"""Makes tests/data/stl_rtamt.json: random formulas and traces, and what rtamt says about them.

rtamt pins an old antlr4, so it lives in an environment of its own:

    python -m venv rtamt && rtamt/bin/pip install rtamt==0.4.10
    PYTHONPATH=tests/support python tests/support/stl_rtamt.py rtamt/bin/python > tests/data/stl_rtamt.json
"""

import json
import subprocess
import sys

NAMES = {"G": "always", "F": "eventually", "H": "historically", "O": "once", "U": "until", "S": "since"}


def translated(formula):
    """Return a formula in the language of rtamt."""
    from rlx.envs.core import stl

    window = getattr(formula, "window", None)
    bracket = f"[{window[0]},{window[1]}]" if window else ""
    match formula:
        case stl.Predicate():
            return f"({formula})"
        case stl.Not(operand):
            return f"(not({translated(operand)}))"
        case stl.And(left, right) | stl.Or(left, right) | stl.Implies(left, right):
            return f"({translated(left)} {formula.symbol} {translated(right)})"
        case stl.Until(left, right) | stl.Since(left, right):
            return f"({translated(left)} {NAMES[formula.symbol]}{bracket} {translated(right)})"
    return f"({NAMES[formula.symbol]}{bracket} {translated(formula.operand)})"


def questions(count):
    """Return formulas in both languages, and traces of two samples or more: rtamt fails on one."""
    import numpy as np
    from temporal import random_formula, random_trace

    rng = np.random.default_rng(2024)
    asked = []
    for _ in range(count):
        formula = random_formula(rng, depth=int(rng.integers(1, 4)))
        trace = random_trace(rng, int(rng.integers(2, 15)))
        asked.append({"formula": str(formula), "rtamt": translated(formula), "signals": trace})
    return asked


def answer(question):
    """Return rtamt's robustness at each time."""
    import rtamt

    specification = rtamt.StlDiscreteTimeSpecification()
    for name in (*question["signals"], "out"):
        specification.declare_var(name, "float")
    specification.spec = f"out = {question['rtamt']}"
    specification.parse()
    length = len(question["signals"]["x"])
    return [value for _, value in specification.evaluate({"time": list(range(length)), **question["signals"]})]


if __name__ == "__main__":
    if sys.argv[1] == "--answer":
        json.dump([answer(question) for question in json.load(sys.stdin)], sys.stdout)
    else:
        asked = questions(400)
        done = subprocess.run(
            [sys.argv[1], __file__, "--answer"], input=json.dumps(asked), capture_output=True, text=True, check=True
        )
        for question, robustness in zip(asked, json.loads(done.stdout), strict=True):
            question["robustness"] = robustness
        json.dump({"source": "rtamt 0.4.10, StlDiscreteTimeSpecification.evaluate", "cases": asked}, sys.stdout)
