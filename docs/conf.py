"""How Sphinx builds these pages: `make docs`."""

import sys
from pathlib import Path

import rlx

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project, author, release = "rlx", "rlx contributors", rlx.__version__
copyright = "rlx contributors, MIT licence"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "catalog_pages"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"rlx {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # docstrings put names between single backticks
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autoclass_content = "both"
python_use_unqualified_type_names = True
