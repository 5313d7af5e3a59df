"""Makes tests/data/sindy_pysindy.json: what pysindy makes of random data, and which rows and terms it drew.

pysindy lives in an environment of its own:

    python -m venv pysindy && pysindy/bin/pip install pysindy==2.1.0
    pysindy/bin/python tests/support/sindy_pysindy.py > tests/data/sindy_pysindy.json
"""

import json
import warnings

import numpy as np
import pysindy
from pysindy.optimizers import base

SAMPLES, MODELS, RIDGE, THRESHOLD = 120, 7, 1e-3, 0.02


def data():
    """Return variables (three states and a control) and two targets that are sparse in them, with noise."""
    rng = np.random.default_rng(7)
    x = rng.uniform(-1.0, 1.0, (SAMPLES, 4)) * [1.0, 2.0, 0.5, 1.5]
    clean = np.stack((0.8 * x[:, 1] - 0.3 * x[:, 0] * x[:, 2] + 0.5 * x[:, 3], 0.2 - 0.7 * x[:, 0] ** 2), axis=1)
    return x.round(6), (clean + 0.05 * rng.standard_normal(clean.shape)).round(6)


def root_mean_square(columns):
    """Return the root mean square of each column."""
    return np.sqrt(np.mean(columns**2, axis=0))


def single(terms, targets, **settings):
    """Return the coefficients (P, T) of one STLSQ without the final refit."""
    return pysindy.STLSQ(unbias=False, **settings).fit(terms, targets).coef_.T


def ensemble(terms, targets):
    """Return median coefficients (P, T) of an ensemble, with the rows and the dropped term that each member drew."""
    rows, dropped = [], []
    choose = np.random.choice

    def choice(options, size, replace):
        drawn = choose(options, size, replace=replace)
        if replace:
            rows.append(drawn.tolist())
        else:
            dropped.append(np.setdiff1d(options, drawn).tolist())
        return drawn

    np.random.seed(3)  # noqa: NPY002  (what pysindy draws from)
    np.random.choice = choice
    member = pysindy.STLSQ(threshold=THRESHOLD, alpha=RIDGE * SAMPLES, unbias=False)
    optimizer = pysindy.EnsembleOptimizer(member, bagging=True, library_ensemble=True, n_models=MODELS)
    scaled = terms / root_mean_square(terms), targets / root_mean_square(targets)
    optimizer.fit(*scaled)
    np.random.choice = choose
    assert base.np is np and len(rows) == len(dropped) == MODELS
    median = np.median(optimizer.coef_list, axis=0).T
    coefficients = median / root_mean_square(terms)[:, None] * root_mean_square(targets)
    return {"rows": rows, "dropped": dropped, "coefficients": coefficients.tolist()}


def main():
    """Print the file."""
    warnings.simplefilter("ignore")
    x, y = data()
    library = pysindy.PolynomialLibrary(degree=3).fit(x)
    terms = np.asarray(library.transform(x))
    names = library.get_feature_names([f"x{k}" for k in range(4)])
    parts = [pysindy.PolynomialLibrary(degree=d, include_bias=False) for d in (2, 1)]
    affine = pysindy.GeneralizedLibrary(parts, tensor_array=[[1, 1]], inputs_per_library=[[0, 1, 2], [3]]).fit(x)
    settings = [{"threshold": threshold, "alpha": alpha} for threshold in (0.05, 0.2) for alpha in (1e-5, 0.5)]
    answers = {
        "pysindy": pysindy.__version__,
        "variables": x.tolist(),
        "targets": y.tolist(),
        "names": names,
        "terms": terms[:5].tolist(),
        "affine": sorted(set(affine.get_feature_names(["x0", "x1", "x2", "u0"]))),
        "single": [{**case, "coefficients": single(terms, y, **case).tolist()} for case in settings],
        "ensemble": {"ridge": RIDGE, "threshold": THRESHOLD, **ensemble(terms, y)},
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
