"""WebNav: do on a web page what an instruction says."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..core import SIMULATION, KernelEnv, KernelVectorEnv, Problem, Simulations, State, as_record
from . import observations
from .actions import Liu18
from .page import Page
from .params import WritableBrowsing
from .render import Screen
from .rewards import REWARDS
from .session import INFO, Session, Task
from .tasks import TASKS

if TYPE_CHECKING:
    from .browser import Site

#: What `info` may show besides, by name.
_VIEWS: dict[str, Callable[[Page], Any]] = {
    "utterance": lambda page: page.utterance,
    "text": observations.markup,
    "dom": lambda page: page.dump(),
}


class WebNavEnv(KernelEnv):
    """Do on a web page what an instruction says: click, and type what the instruction holds.

    ## Description
    A page shows forms, lists, menus, a mailbox, an airline. Its instruction is a sentence, and the same as fields (key
    and value). The tasks are those of MiniWoB++, embedded: a document that answers clicks and typing as a browser does,
    with a clock of its own, so that nothing depends on how fast an agent is. ``reset(seed=k)`` gives the page that
    MiniWoB++ gives in Chromium after ``Math.seedrandom(k)``. Three tasks are our own: book-flight-form, form-n and
    multi-page, the last two as hard as their parameters say.

    ## Action space
    `Discrete(elements * (1 + fields))`, with ``info["action_mask"]``: node ``action // (1 + fields)`` is clicked, and
    if ``kind = action % (1 + fields)`` is not 0, the value of field ``kind - 1`` is typed then. The mask allows clicks
    on visible leaves (a click on a text is one on its element), and typing into controls that take it. What it rules
    out does nothing; time passes. `actions.encode` and `actions.decode` convert.

    Where a solution has to type what no field of the instruction says, further fields hold it: a text in either case
    (enter-text-2), a time with all its digits (enter-time), the words, cells or texts that are on the page (find-word,
    read-table, copy-paste). What has to be worked out (simple-arithmetic, simple-algebra) no action can type.

    With ``actions="liu18"`` it is a `Dict`: ``action_type`` (0 nothing, 1 click, 2 click and type), ``ref``, the node,
    and ``field``. The mask stays that of the numbers; `actions.Liu18` converts.

    ## Observation space
    A `Dict`. Nodes, which are elements and texts, come in document order, the body first; what is not displayed is no
    node. Texts are sequences of tokens, padded with 0.

    - ``elements`` (elements, 5, tokens): tag, text, value, id and placeholder, classes. ``element_mask`` (elements,).
    - ``features`` (elements, 8): focused, tampered (clicked before), new (not there before the step), typable, checked,
      disabled, text (no element), leaf. ``depth`` (elements,); ``parent`` (elements,): 1 + its place, 0 for none.
    - ``fields`` (fields, 2, tokens): key and value. ``field_mask`` (fields,).
    - ``action_mask`` (elements * (1 + fields),), for the product of elements with {click, type a field}.
    - ``time`` (1,): thousandths of the time limit.

    A token is a run of letters and digits, without case and leading zeros; signs are left out. Small numbers, the words
    of short lists that pages draw from, and those that pages are made of have tokens of their own, from 4097 on; the
    others are hashed into 1 to 4096 (CRC-32), where two words may meet.

    ## Rewards
    ``task``: at the end 1 or -1, or what the page gives for a part; ``reward="scaled"`` multiplies success by the share
    of the time that was left, as MiniWoB++ does; ``reward="success"`` pays 1 for it, and nothing for all else: where
    failing costs, learners find that doing nothing is safer; with ``writing=1``, from -1 to 1 by how many fields are
    right. ``potential``, with ``dense=True``: discount * F(s') - F(s), where F is the share of the controls that hold
    what the oracle would leave in them, or what was written; 0 before that, and at the end.

    ## Starting state
    The instance of the seed; without one, the environment's stream draws the next seed.

    ## Episode end
    Terminated when the page says so, or with -1 when the time limit is over. The spec truncates after 50 actions.

    ## Arguments
    - ``task``: a name in MiniWoB++, or one of our own, see `tasks.TASKS`.
    - ``reward``: ``"raw"``, ``"scaled"`` or ``"success"``; ``dense``: whether progress is rewarded.
    - ``elements``, ``fields``, ``tokens``: how much there is room for; None: what the parameters of form-n and
      multi-page ask for, or what the task's pages were found to need, over 300 seeds of random play and the oracle's.
      What does not fit, such as a text that is typed again and again, is left out and counted in
      ``signals["omitted"]``.
    - ``parameters``: `Browsing` fields that differ from its defaults; of form-n `FormBrowsing`, of multi-page
      `SiteBrowsing`. They are the context as well: ``step_ms``, time per action; ``limit_ms``; the curriculum
      ``warm_start``, share of the oracle's actions that are played at the start, at most all but one; and
      ``subgoal_fields``: the episode succeeds when the first so many controls, in the oracle's order, hold what they
      should; fields that say what later ones should hold are not shown. Where instructions say what the controls of
      the first page are to hold, also ``writing``, 0, 1 or 2, which rules out the other two: at the start, a rule has
      acted on the page at random, and all that its controls hold is to be written into the instruction. An action
      writes what its node holds, or says, as the value of its field; no time passes. With 1, that is all. With 2, the
      page begins anew, and what was written is to be done: controls are to hold it, and if a click ends the episode,
      it is judged then.
    - ``actions``: ``"composite"``, numbers; or ``"liu18"``, the `Dict` of Liu et al. and MiniWoB++.
    - ``views``: what ``info`` shows besides: ``"utterance"``, ``"text"`` (a line per node, with its place),
      ``"dom"`` (as MiniWoB++ nests it).
    - ``backend``: ``"embedded"``; or ``"browser"``, what Chrome or Chromium shows. There, ``task`` may be any page of
      MiniWoB++, an HTML file or a URL, see the guide; nothing can be saved, and there is no oracle.
    - ``browser``: the path of the browser; None: what is found.
    - ``render_mode``: None, ``"rgb_array"`` or ``"human"``.

    ## Info
    ``signals``: ``time`` (ms), ``elements`` (nodes on the page), ``omitted`` (nodes, fields and words that the tensors
    have no room for); ``reward_terms``; ``action_mask``; ``success`` at the end; in `reset` also ``context``.

    ## References
    - Gur, Rueckert, Faust, Hakkani-Tur, "Learning to Navigate the Web", ICLR 2019, arXiv:1812.09195.
    - Liu, Guu, Pasupat, Shi, Liang, "Reinforcement Learning on Web Interfaces using Workflow-Guided Exploration", ICLR
      2018, arXiv:1802.08802: MiniWoB++.

    ## Version history
    - v0: first version.
    """

    metadata = {**KernelEnv.metadata, "render_fps": 4}

    def __init__(
        self,
        task: str = "login-user",
        reward: str = "raw",
        dense: bool = False,
        elements: int | None = None,
        fields: int | None = None,
        tokens: int | None = None,
        parameters: dict[str, float] | None = None,
        actions: str = "composite",
        views: Sequence[str] = (),
        backend: str = "embedded",
        browser: str | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Set the task up; the arguments are described above.

        Raises:
            ValueError: an unknown task, reward, view, back end or kind of actions, no room, a parameter out of range.
            DependencyNotInstalled: what a browser needs is missing.
        """
        if backend not in ("embedded", "browser"):
            raise ValueError(f"backend = {backend!r} is unknown. Allowed: embedded, browser.")
        if backend == "embedded" and task not in TASKS:
            close = difflib.get_close_matches(str(task), TASKS, n=1)
            hint = f"Did you mean {close[0]!r}? " if close else ""
            raise ValueError(f"task = {task!r} is unknown. {hint}Allowed: {', '.join(TASKS)}.")
        if reward not in REWARDS:
            raise ValueError(f"reward = {reward!r} is unknown. Allowed: {', '.join(REWARDS)}.")
        if actions not in ("composite", "liu18"):
            raise ValueError(f"actions = {actions!r} is unknown. Allowed: composite, liu18.")
        for view in views:
            if view not in _VIEWS:
                raise ValueError(f"views has {view!r}. Allowed: {', '.join(_VIEWS)}.")
        given = parameters or {}
        room = TASKS[task].room(**given) if backend == "embedded" else None
        layout = observations.layout(task, elements, fields, tokens, room)
        kind, self._site = _pages(task, backend, browser)
        if "writing" in given and not issubclass(kind.knobs, WritableBrowsing):
            able = ", ".join(name for name, page in TASKS.items() if issubclass(page.knobs, WritableBrowsing))
            raise ValueError(
                f"task = {task!r} has no parameter 'writing': its instruction does not say what the controls on its "
                f"first page are to hold. Tasks that have: {able}."
            )
        rules = Task(kind, layout, reward, dense)
        simulations = Simulations(lambda seed, browsing: Session(rules, seed, browsing))
        problem = Problem(
            parameters=kind.browsing(**given),
            observation_space=observations.space(layout),
            action_space=spaces.Discrete(layout.actions),
            state_dtype=SIMULATION,
            pack=as_record,
            reset=simulations.reset,
            step=simulations.step,
            info=INFO,
            action_mask_size=layout.actions,
            has_success=True,
            notes=(lambda states: _notes(states, views)) if views else None,
        )
        super().__init__(problem, render_mode)
        self._dicts = Liu18(layout.elements, layout.fields) if actions == "liu18" else None
        self.action_space = self._dicts or problem.action_space
        self._screen = None if render_mode is None else Screen()

    @property
    def session(self) -> Session:
        """The episode, to be read only.

        Raises:
            ResetNeeded: before the first `reset`.
        """
        if not self._is_reset:
            raise ResetNeeded("Call env.reset() first: there is no page yet.")
        session: Session = self._states["simulation"][0]
        return session

    @property
    def utterance(self) -> str:
        """The instruction as a sentence."""
        return self.session.page.utterance

    def dom(self) -> dict[str, Any]:
        """Return what is visible, as MiniWoB++ nests it, see `dom.Document.dump`."""
        return self.session.page.dump()

    def solve(self) -> Any:
        """Return the action that the task's oracle would take.

        Raises:
            LookupError: it would do what is no action here.
        """
        number = self.session.oracle()
        return number if self._dicts is None else self._dicts.action(number)

    def number(self, action: Any, batch: tuple[int, ...] = ()) -> Any:
        """Return an action, or a batch of them, as numbers.

        Raises:
            InvalidAction: it is no action.
        """
        return action if self._dicts is None else self._dicts.number(action, batch)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step, see `KernelEnv.step`."""
        return super().step(self.number(action))

    def frame(self) -> NDArray[np.uint8]:
        """Draw the page, uint8 of shape (600, 800, 3), or take the browser's picture, which has a size of its own."""
        session = self.session
        if self._site is not None:
            page: Any = session.page
            picture: NDArray[np.uint8] = page.picture()
            return picture
        assert self._screen is not None
        return self._screen.draw(session.page, session.move)

    def save_state(self) -> State:
        """Return the state as a value, see `KernelEnv.save_state`.

        Raises:
            PageError: the page is in a browser.
        """
        if self._site is not None:
            self.session.page.copy()  # says why not
        return super().save_state()

    def close(self) -> None:
        """Close the window and the browser, if there are any."""
        super().close()
        if self._site is not None:
            self._site.close()


class WebNavVectorEnv(KernelVectorEnv):
    """Many pages, an action on each by one call."""

    env_class = WebNavEnv
    _single: WebNavEnv

    def __init__(self, num_envs: int = 1, **kwargs: Any) -> None:
        """Make ``num_envs`` environments, see `KernelVectorEnv`."""
        super().__init__(num_envs, **kwargs)
        self.single_action_space = self._single.action_space
        self.action_space = batch_space(self.single_action_space, num_envs)

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every row, see `KernelVectorEnv.step`."""
        return super().step(self._single.number(actions, (self.num_envs,)))

    def solve(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the numbers of the actions that the oracles of ``rows`` (N,) would take, in their order.

        Raises:
            LookupError: one would do what is no action here.
        """
        return np.array([session.oracle() for session in self._states["simulation"][rows]], np.int64)


def _pages(task: str, backend: str, browser: str | None) -> tuple[type[Page], Site | None]:
    """Return what the pages of ``task`` are, and where they are if that is a browser."""
    if backend == "embedded":
        return TASKS[task], None
    from .browser import pages

    kind = pages(task, browser)
    return kind, kind.site


def _notes(states: NDArray[np.void], views: Sequence[str]) -> dict[str, NDArray[Any]]:
    notes = {}
    for view in views:
        notes[view] = np.empty(len(states), object)
        notes[view][:] = [_VIEWS[view](session.page) for session in states["simulation"]]
    return notes
