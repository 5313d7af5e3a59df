"""The tasks by their names, those of MiniWoB++ and our own.

How a task is ported:

1. Read MiniWoB++'s page. Write a `Page` beside it: its static HTML as `Markup`, its time limit, and as `Style` the
   classes that hide elements and those whose boxes have a size although they are empty.
2. In `build`, draw from ``self.random`` in the page's order, also what nobody sees (margins); fill ``self.area``; state
   `utterance` as a reader sees it and `fields` by the keys of MiniWoB++'s ``fields.py``.
3. Give listeners methods: ``element.on("click", self.submit, argument)``. They end the episode by `Page.grade` or
   `Page.end`. What takes time is a timer: ``self.after(milliseconds, self.method)``.
4. Keep plain values as attributes and replace them; look elements up (``self["id"]``, ``self.area.all("class")``).
5. In `solve`, yield what remains to be done in the state the page is in, so that its first action is always right.
6. Name the class below. The tests compare it with what Chromium showed, and solve it.

A task of our own is a `Page` too. What makes it hard are fields of a `Browsing` of its own, see `Page.knobs`; where
the size of its pages depends on them, `Page.room` says how.
"""

from __future__ import annotations

from ..page import Page
from .book_flight import BookFlight, BookFlightForm, BookFlightNoDelay, BuyTicket
from .buttons import ClickButton, ClickButtonSequence, ClickTest, ClickTest2, ClickWidget, GridCoordinate
from .choices import (
    ClickCheckboxes,
    ClickCheckboxesLarge,
    ClickCheckboxesSoft,
    ClickCheckboxesTransfer,
    ClickOption,
    FormSequence2,
)
from .email import EmailInbox, EmailInboxForwardNl
from .food import OrderFood
from .form_n import FormN
from .links import ClickCollapsible2, ClickLink, ClickTab2
from .listings import PhoneBook, SearchEngine
from .movies import MultiLayouts, MultiOrderings
from .multi_page import MultiPage
from .reading import CopyPaste, FindWord, ReadTable, SimpleAlgebra, SimpleArithmetic
from .social_media import SocialMedia, SocialMediaAll, SocialMediaSome
from .text import (
    EnterDate,
    EnterPassword,
    EnterText,
    EnterText2,
    EnterTextDynamic,
    EnterTime,
    FocusText,
    FocusText2,
    LoginUser,
    LoginUserPopup,
)
from .widgets import ClickCollapsible, ClickDialog, ClickDialog2, ClickTab, NavigateTree, UseAutocomplete

#: Those of MiniWoB++.
MINIWOB: dict[str, type[Page]] = {
    page.name: page
    for page in (
        BookFlight,
        BookFlightNoDelay,
        BuyTicket,
        ClickButton,
        ClickButtonSequence,
        ClickCheckboxes,
        ClickCheckboxesLarge,
        ClickCheckboxesSoft,
        ClickCheckboxesTransfer,
        ClickCollapsible,
        ClickCollapsible2,
        ClickDialog,
        ClickDialog2,
        ClickLink,
        ClickOption,
        ClickTab,
        ClickTab2,
        ClickTest,
        ClickTest2,
        ClickWidget,
        CopyPaste,
        EmailInbox,
        EmailInboxForwardNl,
        EnterDate,
        EnterPassword,
        EnterText,
        EnterText2,
        EnterTextDynamic,
        EnterTime,
        FindWord,
        FocusText,
        FocusText2,
        FormSequence2,
        GridCoordinate,
        LoginUser,
        LoginUserPopup,
        MultiLayouts,
        MultiOrderings,
        NavigateTree,
        OrderFood,
        PhoneBook,
        ReadTable,
        SearchEngine,
        SimpleAlgebra,
        SimpleArithmetic,
        SocialMedia,
        SocialMediaAll,
        SocialMediaSome,
        UseAutocomplete,
    )
}
#: All tasks.
TASKS: dict[str, type[Page]] = MINIWOB | {page.name: page for page in (BookFlightForm, FormN, MultiPage)}
