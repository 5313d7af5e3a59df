"""An episode: a page, what an agent sees of it, and what it is worth."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import goals
from .actions import decode, encode, leaf
from .fields import typable_fields
from .observations import Layout, View
from .page import Action, Page
from .params import Browsing
from .rewards import REWARDS, TERMS, shaping
from .writing import Draft, draft, offers

#: The groups of ``info``, see `core.Problem`. ``time`` is in ms; ``omitted`` counts what the tensors have no room for.
INFO = {"reward_terms": TERMS, "signals": ("time", "elements", "omitted")}


class Task(NamedTuple):
    """What all episodes have in common."""

    page: type[Page]
    layout: Layout
    reward: str  # a name in `REWARDS`
    is_dense: bool  # whether progress is rewarded


class Move(NamedTuple):
    """What was done last."""

    tag: str
    label: str
    text: str | None  # what was typed


class Session:
    """An episode, see `core.Simulation`.

    Attributes:
        page: the page, to be read only.
        view: the observation.
        fields: those of the instruction that belong to the goal.
        draft: the instruction that is to be written, or was, see `writing`.
        move: what was done last, None at first and after an action that the mask rules out.
    """

    def __init__(self, task: Task, seed: int, parameters: Browsing) -> None:
        """Start the instance ``seed`` of ``task``."""
        self.task, self.parameters = task, parameters
        self.page = page = task.page(seed, parameters)
        self.move: Move | None = None
        self.goals: tuple[goals.Goal, ...] = ()
        self.subgoals: tuple[goals.Goal, ...] = ()
        self.fields = typable_fields(page)
        self.draft: Draft | None = None
        if parameters.writing >= 0.5 and (drafted := draft(page, task.layout)) is not None:
            self.page, self.draft = drafted
            self._show_draft()
        else:
            if task.is_dense or parameters.warm_start or parameters.subgoal_fields >= 1.0:
                self._plan()
            self.view = View(task.layout, page, self.fields)
        self._potential = self._progress()
        self._values = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, self.page.time, self.view.count, self.view.omitted]

    @property
    def is_writing(self) -> bool:
        """Whether an action writes something."""
        return self.draft is not None and len(self.draft.left) > 0

    def _show_draft(self) -> None:
        """Show the instruction as far as it is written, and what may be written."""
        page, layout = self.page, self.task.layout
        assert self.draft is not None
        self.fields, page.utterance = self.draft.fields, str(self.draft)
        self.view = View(layout, page, self.fields)
        if self.is_writing:
            self.view.mask[:] = self.draft.mask(page, layout)

    def _plan(self) -> None:
        """Set the goals; let the oracle begin."""
        page, parameters = self.page, self.parameters
        plan = goals.plan(page, parameters.step_ms)
        count = int(parameters.subgoal_fields)
        self.goals, actions = plan.goals, plan.actions
        if 1 <= count < len(plan.goals):
            self.goals = self.subgoals = plan.goals[:count]
            actions = plan.reached[count - 1]
            later = [goal.content.lower() for goal in plan.goals[count:]]
            self.fields = tuple(field for field in self.fields if field[1].lower() not in later)
        moves = page.solve()
        for _ in range(min(int(parameters.warm_start * actions), actions - 1)):
            page.perform(next(moves))
            page.advance(parameters.step_ms)

    def copy(self) -> Session:
        """Return another one with the same future."""
        twin: Session = object.__new__(Session)
        twin.__dict__.update(self.__dict__)
        twin.page = self.page.copy()
        twin.view = self.view.copy(twin.page)
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Show the page again."""
        self.__dict__.update(state)
        self.view.attach(self.page)

    def step(self, action: list[float]) -> None:
        """Click or type, and let time pass; or write, which takes no time."""
        was_done = self.page.is_done
        self.move = None
        if self.is_writing:
            self._write(int(action[0]))
        else:
            self._act(int(action[0]))
        page, view = self.page, self.view
        before, self._potential = self._potential, self._progress()
        task = potential = 0.0
        if not was_done:
            task = REWARDS[self.task.reward](page)
            if self.task.is_dense:
                potential = shaping(before, self._potential, self.parameters.discount, page.is_done)
        self._values = [
            task + potential, page.is_done, 0.0, 0.0, page.raw_reward == 1.0, task, potential,
            page.time, view.count, view.omitted,
        ]  # fmt: skip

    def _act(self, choice: int) -> None:
        page, view = self.page, self.view
        if view.is_allowed(choice):
            place, kind = decode(choice, self.task.layout.fields)
            outline = page.document.outline()
            element, is_text = outline.elements[place], outline.are_texts[place]
            typed = self.fields[kind - 1][1] if kind else None
            label = outline.texts[place] or element.id or element.classes
            self.move = Move("t" if is_text else element.tag, label, typed)
            page.perform(Action(element, typed))
        page.advance(self.parameters.step_ms)
        if self.subgoals:
            self._judge()
        view.refresh(page)

    def _judge(self) -> None:
        """End the episode if the subgoals are reached; after a draft from which a click ends it, grade that click."""
        page = self.page
        is_reached = goals.share_reached(page, self.subgoals) == 1.0
        if self.draft is None or not self.draft.has_end:
            if is_reached and not page.is_done:
                page.grade(True)
        elif page.is_done and page.time < page.limit:
            page.is_done = False  # the page's own judgement is about another instruction
            page.grade(is_reached)

    def _write(self, choice: int) -> None:
        page, layout = self.page, self.task.layout
        assert self.draft is not None
        if not self.view.is_allowed(choice):
            return
        place, kind = decode(choice, layout.fields)
        text = offers(page, layout)[place]
        self.move = Move("field", self.fields[kind - 1][0], text)
        self.draft = self.draft.write(kind - 1, text)
        if not self.draft.left:
            if self.parameters.writing < 1.5:
                page.end(2.0 * self.draft.right / len(self.draft.goals) - 1.0)
            else:
                self.page = self.task.page(page.seed, self.parameters)
                self.goals = self.subgoals = self.draft.goals
        self._show_draft()

    def report(self, observation: Any, values: NDArray[np.float64], action_mask: NDArray[np.int8]) -> None:
        """Fill in what the step has led to, see `core.Simulation`."""
        view = self.view
        for row, buffer in zip(observation, view.buffers, strict=True):
            row[:] = buffer
        values[:] = self._values
        action_mask[:] = view.mask

    def oracle(self) -> int:
        """Return the action of the task's oracle.

        Raises:
            LookupError: it is none that the agent could take; says why.
        """
        if self.draft is not None:
            if self.is_writing:
                return self.draft.solve(self.page, self.task.layout)
            raise LookupError(f"{self.page.name}: the oracle can write an instruction, and do the task's own alone.")
        action = next(self.page.solve(), None)
        if action is None:
            return int(self.view.mask.argmax())
        kind = 0
        if action.text is not None:
            texts = [value for _, value in self.fields[: self.task.layout.fields]]
            if action.text not in texts:
                raise LookupError(f"{self.page.name}: the oracle types {action.text!r}, which is none of {texts}.")
            kind = 1 + texts.index(action.text)
        place = self.view.place(action.element)
        if place is None:
            raise LookupError(f"{self.page.name}: {action.element!r} is not among the {self.view.count} nodes shown.")
        place = leaf(self.page.nodes()[: self.task.layout.elements], place)
        return encode(place, kind, self.task.layout.fields)

    def _progress(self) -> float:
        return goals.share_reached(self.page, self.goals) if self.task.is_dense else 0.0
