"""Looks how large the pages of each task get and which words they are made of; writes ``data/survey.json``.

``python -m rlx.envs.web_nav.survey`` does that for all tasks, ``... survey TASK ...`` for some. Words that are in the
vocabulary keep their places: tokens are part of the environment's version.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .actions import is_typable
from .fields import typable_fields
from .page import Action, Page
from .tasks import TASKS
from .tasks.controls import CONTROLS
from .tokens import words
from .words import lists as lists_of_words

SEEDS = 300
STEPS = 30
#: A word is one that pages are made of if it is on so large a share of a task's pages.
COMMON = 0.25
#: A list of so many words that pages draw from, lorem ipsum for instance, is in the vocabulary.
SHORT = 300
#: Sizes are multiples of these: elements, fields, tokens.
_UNITS = (8, 1, 1)


def pages(task: str, seeds: range) -> Iterator[tuple[Page, bool]]:
    """Yield pages of ``task`` as the oracle, or random play (True), leaves them after each step."""
    for seed, is_random in itertools.product(seeds, (False, True)):
        page, generator = TASKS[task](seed), np.random.default_rng(seed)
        yield page, is_random
        actions = _random(page, generator) if is_random else page.solve()
        for action in itertools.islice(actions, STEPS):
            page.perform(action)
            page.advance(300.0)
            yield page, is_random
            if page.is_done:
                break


def _random(page: Page, generator: np.random.Generator) -> Iterator[Action]:
    while True:
        nodes = page.nodes()
        element = nodes[generator.integers(len(nodes))].element
        texts = [value for _, value in typable_fields(page)] if is_typable(element) else []
        yield Action(element, texts[generator.integers(len(texts))] if texts else None)


def measure(task: str) -> tuple[list[int], list[str]]:
    """Return the sizes that the pages of ``task`` need, and the words they are made of.

    Texts are as long as they get without random play, which may type the same again and again.
    """
    most = np.ones(3, int)
    common: Counter[str] = Counter()
    for page, is_random in pages(task, range(SEEDS)):
        texts = [text for pair in typable_fields(page) for text in pair]
        found = {word for key, _ in page.fields for word in words(key)}
        for node in page.nodes():
            element = node.element
            told = [node.tag, node.text or ""]
            if not node.is_text:
                told += [element.value, f"{element.id} {element.attributes.get('placeholder', '')}", element.classes]
            texts += told
            found.update(word for text in told for word in words(text))
        if page.time == 0.0:
            common.update(found)
        longest = 0 if is_random else max(len(words(text)) for text in texts)
        most = np.maximum(most, [len(page.nodes()), len(typable_fields(page)), longest])
    sizes = [-(-int(size) // unit) * unit for size, unit in zip(most, _UNITS, strict=True)]
    return sizes, sorted(word for word, count in common.items() if count >= COMMON * 2 * SEEDS)


def standing() -> list[str]:
    """Return the words that are in the vocabulary whatever the pages show: small numbers, and short lists of words."""
    lists: list[Sequence[str]] = [texts for texts in lists_of_words().values() if len(set(texts)) <= SHORT]
    lists += [list(CONTROLS), *(c.values for c in CONTROLS.values() if len(c.values) <= SHORT)]
    found = [word for texts in lists for text in texts for word in words(text)]
    return list(dict.fromkeys([*map(str, range(100)), *found]))


def main() -> None:
    """Survey the tasks named on the command line, or all."""
    path = Path(__file__).parent / "data" / "survey.json"
    found = json.loads(path.read_text()) if path.exists() else {"words": [], "sizes": {}}
    found["words"] = list(dict.fromkeys([*found["words"], *standing()]))
    for task in sys.argv[1:] or TASKS:
        sizes, made_of = measure(task)
        found["sizes"][task] = sizes
        found["words"] = list(dict.fromkeys([*found["words"], *made_of]))
        print(task, *sizes)
    path.write_text(json.dumps(found, indent=0) + "\n")


if __name__ == "__main__":
    main()
