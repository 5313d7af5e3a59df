"""The widgets that pages use: the elements and classes they make, and how they answer.

They are those of jQuery UI 1.12, the tree of jQuery Treeview 1.4 and the pages of jQuery Bootstrap Pagination 1.4.
"""

from __future__ import annotations

import calendar
import functools
from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from . import words
from .dom import Element, Markup, unbound
from .page import Event, Page

_BUTTON = "ui-button ui-corner-all ui-widget"
_TITLE_BAR = Markup("""
<div class="ui-dialog-titlebar ui-corner-all ui-widget-header ui-helper-clearfix ui-draggable-handle">
  <span class="ui-dialog-title"></span>
  <button class="ui-button ui-corner-all ui-widget ui-button-icon-only ui-dialog-titlebar-close">
    <span class="ui-button-icon ui-icon ui-icon-closethick"></span>
    Close
  </button>
</div>""")
_BUTTON_PANE = Markup("""
<div class="ui-dialog-buttonpane ui-widget-content ui-helper-clearfix"><div class="ui-dialog-buttonset"></div></div>""")
_RESIZE_HANDLES = Markup("".join(
    f'<div class="ui-resizable-handle ui-resizable-{side}"></div>'
    for side in ("n", "e", "s", "w", "se ui-icon ui-icon-gripsmall-diagonal-se", "sw", "ne", "nw")
))  # fmt: skip

#: Class names of widgets whose boxes are not empty when they are.
SIZED = frozenset({".ui-icon", ".ui-dialog-title", ".ui-resizable-handle", ".ui-helper-hidden-accessible"})


def dialog(page: Page, content: Element, buttons: Sequence[str] = ()) -> Element:
    """Show ``content`` in a dialog over the page, with ``buttons`` below it; return the dialog.

    The first button, or the cross in the corner, has the keyboard. The cross hides the dialog.
    """
    content.is_hidden = False
    content.add_class("ui-dialog-content", "ui-widget-content")
    bar = _TITLE_BAR.element()
    bar.first("ui-dialog-title").identify(page.unique_id())
    cross = bar.first("ui-dialog-titlebar-close")
    cross.on("click", _close_dialog)
    classes = "ui-dialog ui-corner-all ui-widget ui-widget-content ui-front"
    classes += " ui-dialog-buttons" if buttons else ""
    box = Element("DIV", bar, content, classes=classes, attributes={"tabindex": "-1"})
    box.add_class("ui-draggable", "ui-resizable")
    below = [Element("BUTTON", name, classes=_BUTTON) for name in buttons]
    if below:
        pane = _BUTTON_PANE.element()
        pane.first("ui-dialog-buttonset").append(*below)
        box.append(pane)
    box.append(*_RESIZE_HANDLES.copy())
    page.document.body.append(box)
    page.focus((*below, cross)[0])
    return box


def _close_dialog(page: Page, event: Event) -> None:
    box = event.current.closest(".ui-dialog")
    assert box is not None
    box.is_hidden = True


def tabs(page: Page, box: Element) -> None:
    """Make tabs of ``box``: a list of links to the ids of the panels that follow it. The first panel is shown."""
    box.add_class("ui-tabs", "ui-corner-all", "ui-widget", "ui-widget-content")
    bar, *panels = box.elements()
    bar.add_class("ui-tabs-nav", "ui-corner-all", "ui-helper-reset", "ui-helper-clearfix", "ui-widget-header")
    for index, (tab, panel) in enumerate(zip(bar.elements(), panels, strict=True)):
        tab.classes = "ui-tabs-tab ui-corner-top ui-state-default ui-tab"
        (link,) = tab.elements()
        link.identify(page.unique_id())
        link.classes = "ui-tabs-anchor"
        panel.classes = "ui-tabs-panel ui-corner-bottom ui-widget-content"
        panel.is_hidden = index > 0
        tab.on("keydown", _press_tab)
        _let_focus(tab)
        link.on("click", _select_tab)
    bar.elements()[0].add_class("ui-tabs-active", "ui-state-active")


def _select_tab(page: Page, event: Event) -> None:
    select_tab(event.current)


def _press_tab(page: Page, event: Event) -> bool | None:
    if event.key != " ":
        return None
    select_tab(event.current.elements()[0])
    return False


def select_tab(link: Element) -> None:
    """Show the panel of a tab instead of the one that is shown; ``link`` is inside the tab."""
    tab = link.parent
    assert tab is not None and tab.parent is not None and tab.parent.parent is not None
    bar = tab.parent
    _, *panels = tab.parent.parent.elements()
    for other, panel in zip(bar.elements(), panels, strict=True):
        if other is not tab:
            other.remove_class("ui-tabs-active", "ui-state-active")
        panel.is_hidden = other is not tab
    tab.add_class("ui-tabs-active", "ui-state-active")


def _let_focus(element: Element) -> None:
    """Let ``element`` have the keyboard, and show it."""
    element.set("tabindex", "-1")
    element.on("focusin", _focus)
    element.on("focusout", _leave)


def _focus(page: Page, event: Event) -> None:
    event.current.add_class("ui-state-focus")


def _leave(page: Page, event: Event) -> None:
    event.current.remove_class("ui-state-focus")


_HEADER = "ui-accordion-header ui-corner-top"
_CLOSED = ("ui-accordion-header-collapsed", "ui-corner-all")
_OPEN = ("ui-accordion-header-active", "ui-state-active")
_ICON = Markup('<span class="ui-accordion-header-icon ui-icon ui-icon-triangle-1-e"></span>')
#: How long a section of an accordion opens or closes, in milliseconds.
_SECTION_TIME = 403.0


def accordion(page: Page, box: Element) -> None:
    """Make sections of ``box``: headers, each before what it opens. At first none is open, later one at most.

    A last header may have nothing to open.
    """
    box.add_class("ui-accordion", "ui-widget", "ui-helper-reset")
    for header in box.elements()[::2]:
        header.identify(page.unique_id())
        header.classes = " ".join((_HEADER, *_CLOSED, "ui-state-default", "ui-accordion-icons"))
        header.insert(0, _ICON.element())
        header.on("click", _toggle_section)
        header.on("keydown", _press_section)
        _let_focus(header)
        if (panel := _panel(header)) is not None:
            panel.identify(page.unique_id())
            panel.classes = "ui-accordion-content ui-corner-bottom ui-helper-reset ui-widget-content"
            panel.is_hidden = True


def _panel(header: Element) -> Element | None:
    """Return what a header of an accordion opens, if there is something."""
    assert header.parent is not None
    siblings = header.parent.elements()
    return next(iter(siblings[siblings.index(header) + 1 :]), None)


def _toggle_section(page: Page, event: Event) -> None:
    header = event.current
    if closing := page.widgets.get("closing"):
        page.cancel(_close_section, closing)
        _close_section(page, closing)
    was_open = page.widgets.get("section", "")
    page.widgets["section"] = "" if header.id == was_open else header.id
    if was_open:
        page[was_open].remove_class(*_OPEN)
        page.widgets["closing"] = was_open
        page.after(_SECTION_TIME, _close_section, was_open)
    if header.id != was_open:
        header.remove_class(*_CLOSED)
        header.add_class(*_OPEN)
        if (panel := _panel(header)) is not None:
            panel.is_hidden = False
            panel.add_class("ui-accordion-content-active")


def _close_section(page: Page, id: str) -> None:
    """Hide what a header has opened."""
    page.widgets["closing"] = ""
    if (panel := _panel(page[id])) is not None:
        panel.is_hidden = True
        panel.remove_class("ui-accordion-content-active")
        page[id].add_class(*_CLOSED)


def _press_section(page: Page, event: Event) -> bool | None:
    if event.key != " ":
        return None
    _toggle_section(page, event)
    return False


def treeview(tree: Element) -> None:
    """Make a tree of nested lists: an entry with a list in it opens and closes. At first all are closed."""
    tree.add_class("treeview")
    for entry in tree.descendants():
        if entry.tag != "LI":
            continue
        assert entry.parent is not None
        is_last = entry is entry.parent.elements()[-1]
        label, *inner = entry.elements()
        if not inner:
            entry.classes = "last" if is_last else ""
            continue
        names = ("expandable", "lastExpandable")[: 1 + is_last]
        entry.classes = " ".join(names)
        entry.insert(0, Element("DIV", classes=" ".join(("hitarea", *(f"{name}-hitarea" for name in names)))))
        inner[0].is_hidden = True
        entry.elements()[0].on("click", _toggle_entry)
        label.on("click", _toggle_entry)


def _toggle_entry(page: Page, event: Event) -> None:
    entry = event.current.parent
    assert entry is not None
    area, _, inner = entry.elements()
    inner.is_hidden = not inner.is_hidden
    for element, end in ((area, "-hitarea"), (entry, "")):
        for opened, closed in (("collapsable", "expandable"), ("lastCollapsable", "lastExpandable")):
            before, after = (closed, opened) if element.has_class(closed + end) else (opened, closed)
            if element.has_class(before + end):
                element.remove_class(before + end)
                element.add_class(after + end)


class _Pages(NamedTuple):
    links: str  # the id of their list
    total: int
    visible: int
    show: Callable[..., None]  # (page, number)


def pagination(page: Page, links: Element, total: int, visible: int, show: Callable[[int], None]) -> None:
    """Fill the list ``links`` with links to pages, and show the first one.

    Args:
        page: where.
        links: has an id.
        total: how many pages there are.
        visible: how many of them have a link of their own at a time; an odd number.
        show: a method of the page; shows the page of a number from 1.
    """
    links.add_class("pagination")
    _show_page(page, _Pages(links.id, total, visible, unbound(show)), 1)


def _show_page(page: Page, pages: _Pages, number: int) -> None:
    links = page[pages.links]
    links.clear()
    low = min(max(number - pages.visible // 2, 1), pages.total - pages.visible + 1)
    for name, text, target in (
        ("first", "First", 1),
        ("prev", "<", max(number - 1, 1)),
        *(("", str(shown), shown) for shown in range(low, low + pages.visible)),
        ("next", ">", min(number + 1, pages.total)),
        ("last", "Last", pages.total),
    ):
        state = ("disabled" if name else "active") if target == number else ""
        link = Element("A", text, classes="page-link", attributes={"href": "#"})
        item = Element("LI", link, classes=" ".join(filter(None, ("page-item", name, state))))
        item.on("click", _turn_page, (pages, target))
        links.append(item)
    pages.show(page, number)


def _turn_page(page: Page, event: Event) -> bool | None:
    pages, number = event.argument
    if event.current.has_class("active"):
        return False
    _show_page(page, pages, number)
    return None


class _Source(NamedTuple):
    input: str  # its id
    menu: str
    matches: Callable[..., list[str]]  # (page, text) -> the entries that match
    delay: float


def autocomplete(page: Page, input: Element, matches: Callable[[str], list[str]], delay: float = 300.0) -> None:
    """Offer entries that match what is typed into ``input``, in a menu at the end of the page.

    Args:
        page: where.
        input: has an id.
        matches: a method of the page or a function; gives the entries for a text, best first.
        delay: from the last key to the menu, in milliseconds.
    """
    input.add_class("ui-autocomplete-input")
    classes = "ui-menu ui-widget ui-widget-content ui-autocomplete ui-front"
    menu = Element("UL", id=page.unique_id(), classes=classes, attributes={"tabindex": "0"})
    menu.is_hidden = True
    source = _Source(input.id, menu.id, unbound(matches), delay)
    page.document.body.append(menu, Element("DIV", classes="ui-helper-hidden-accessible"))
    menu.on("click", _choose_entry, source)
    input.on("typed", _await_entries, source)
    input.on("blur", _close_menu, source)


def _await_entries(page: Page, event: Event) -> None:
    page.postpone(event.argument.delay, _offer_entries, event.argument)


def _offer_entries(page: Page, source: _Source) -> None:
    menu, text = page[source.menu], page[source.input].value
    if page.widgets.get(menu.id) == text and not menu.is_hidden:
        return
    page.widgets[menu.id] = text
    entries = source.matches(page, text) if text else []
    menu.is_hidden = not entries
    if entries:
        menu.clear()
        # jQuery's selector engine draws twice for each.
        for _ in range(2 * len(entries)):
            page.random.random()
        menu.append(*(_menu_item(page, entry) for entry in entries))
    if text:
        count = f"{len(entries)} {'results are' if len(entries) > 1 else 'result is'}"
        found = f"{count} available, use up and down arrow keys to navigate." if entries else "No search results."
        _status(menu).append(Element("DIV", found))


def menu_entry(page: Page, text: str) -> Element | None:
    """Return what offers ``text`` in an open menu, if there is such an entry."""
    for node in page.nodes():
        if node.text == text and node.element.has_class("ui-menu-item-wrapper"):
            return node.element
    return None


def _menu_item(page: Page, entry: str) -> Element:
    label = Element("DIV", entry, id=page.unique_id(), classes="ui-menu-item-wrapper", attributes={"tabindex": "-1"})
    return Element("LI", label, classes="ui-menu-item")


def _status(menu: Element) -> Element:
    """Return the emptied element that tells screen readers about a menu."""
    assert menu.parent is not None
    siblings = menu.parent.elements()
    status = siblings[siblings.index(menu) + 1]
    status.clear()
    return status


def _choose_entry(page: Page, event: Event) -> None:
    item, source = event.target.closest(".ui-menu-item"), event.argument
    if item is not None:
        input = page[source.input]
        page.focus(input)
        input.value = page.widgets[source.menu] = item.text
        page[source.menu].is_hidden = True


def _close_menu(page: Page, event: Event) -> None:
    page.cancel(_offer_entries, event.argument)
    page[event.argument.menu].is_hidden = True


_CALENDAR_HEADER = """
<div class="ui-datepicker-header ui-widget-header ui-helper-clearfix ui-corner-all">
  <a class="ui-datepicker-prev ui-corner-all"><span class="ui-icon ui-icon-circle-triangle-w">Prev</span></a>
  <a class="ui-datepicker-next ui-corner-all"><span class="ui-icon ui-icon-circle-triangle-e">Next</span></a>
  <div class="ui-datepicker-title">
    <span class="ui-datepicker-month"></span><span class="ui-datepicker-year"></span>
  </div>
</div>"""
_DAYS = ("Su", "Mo", "Tu", "We", "Th", "Fr", "Sa")
_CALENDAR_TABLE = "".join((
    '<table class="ui-datepicker-calendar"><thead><tr>',
    *(f'<th{" class=ui-datepicker-week-end" if day[0] == "S" else ""}><span>{day}</span></th>' for day in _DAYS),
    "</tr></thead><tbody></tbody></table>",
))  # fmt: skip
_CALENDAR = Markup(_CALENDAR_HEADER + _CALENDAR_TABLE)


class _Calendar(NamedTuple):
    input: str  # its id
    low: date
    high: date
    default: date
    fade: float


def datepicker(page: Page, input: Element, low: date, high: date, today: date, fade: float = 208.0) -> None:
    """Open a calendar when ``input`` gets the keyboard.

    Args:
        page: where; it has one such input.
        input: has an id.
        low: the first day that can be chosen.
        high: the last one.
        today: shown at first, or the day nearest to it that can be chosen.
        fade: how long the calendar comes, and goes when a day has been chosen, in milliseconds.
    """
    input.add_class("hasDatepicker")
    classes = "ui-datepicker ui-widget ui-widget-content ui-helper-clearfix ui-corner-all"
    box = Element("DIV", id="ui-datepicker-div", classes=classes)
    box.is_hidden = True
    page.document.body.append(box)
    picker = _Calendar(input.id, low, high, min(max(today, low), high), fade)
    input.on("focus", _open_calendar, picker)
    input.on("keydown", _note_key)
    input.on("keyup", _follow_value, picker)


def _open_calendar(page: Page, event: Event) -> None:
    picker: _Calendar = event.argument
    if page["ui-datepicker-div"].is_hidden:
        _show_value(page, picker)
        page["ui-datepicker-div"].is_hidden = False
        page.widgets["datepicker_is_open"] = True
        page.widgets["datepicker_faded_in"] = page.time + picker.fade


def _follow_value(page: Page, event: Event) -> None:
    picker: _Calendar = event.argument
    if page[picker.input].value != page.widgets["datepicker_value"]:
        _show_value(page, picker)


def _show_value(page: Page, picker: _Calendar) -> None:
    """Show the month of the day that is entered."""
    value = page.widgets["datepicker_value"] = page[picker.input].value
    month, day, year = map(int, value.split("/")) if value else (0, 0, 0)
    _show_month(page, picker, date(year, month, day) if value else picker.default)


def _note_key(page: Page, event: Event) -> None:
    # jQuery UI marks the selected day in the next calendar it draws after a key.
    page.widgets["datepicker_key"] = True


def _show_month(page: Page, picker: _Calendar, selected: date) -> None:
    """Show the month of ``selected``."""
    page.widgets["datepicker"] = selected
    is_key = page.widgets.pop("datepicker_key", False)
    box = page["ui-datepicker-div"]
    box.clear()
    box.append(*_month(picker, selected, page[picker.input].value, is_key).copy())


@functools.lru_cache(256)
def _month(picker: _Calendar, selected: date, value: str, is_key: bool) -> Markup:
    """Return the month of ``selected``, as it is shown if the input has a value, and a key was pressed."""
    header, table = _CALENDAR.copy()
    assert isinstance(header, Element) and isinstance(table, Element)
    for name, step, has_more in (
        ("prev", -1, (selected.year, selected.month) > (picker.low.year, picker.low.month)),
        ("next", 1, (selected.year, selected.month) < (picker.high.year, picker.high.month)),
    ):
        link = header.first(f"ui-datepicker-{name}")
        if has_more:
            link.on("click", _turn_month, (picker, step))
        else:
            link.add_class("ui-state-disabled")
    header.first("ui-datepicker-month").append(words.MONTHS[selected.month - 1])
    header.first("ui-datepicker-year").append(str(selected.year))
    table.elements()[1].append(*_weeks(picker, selected, value, is_key))
    return Markup(header, table)


def _weeks(picker: _Calendar, selected: date, value: str, is_key: bool) -> list[Element]:
    weeks = []
    for week in calendar.Calendar(6).monthdayscalendar(selected.year, selected.month):
        row = Element("TR")
        for column, day in enumerate(week):
            # Blanks as jQuery UI leaves them.
            classes = " ui-datepicker-week-end" if column in (0, 6) else ""
            if not day:
                outside = " ui-datepicker-other-month ui-datepicker-unselectable ui-state-disabled"
                row.append(Element("TD", classes=classes + outside))
                continue
            shown = selected.replace(day=day)
            is_current = f"{shown:%m/%d/%Y}" == value
            is_over = shown == selected and (is_key or shown == picker.default)
            is_free = picker.low <= shown <= picker.high
            classes += " ui-datepicker-days-cell-over" if is_over else ""
            classes += "" if is_free else " ui-datepicker-unselectable ui-state-disabled"
            classes += " " + (" ui-datepicker-current-day" if is_current else "")
            state = "ui-state-default" + (" ui-state-active" if is_current else "")
            label = Element("A" if is_free else "SPAN", str(day), classes=state)
            cell = Element("TD", label, classes=classes)
            if is_free:
                label.attributes = {"href": "#"}
                label.classes += " ui-state-hover" if is_over else ""
                cell.on("click", _choose_day, (picker, shown))
            row.append(cell)
        weeks.append(row)
    return weeks


def _turn_month(page: Page, event: Event) -> None:
    picker, step = event.argument
    selected: date = page.widgets["datepicker"]
    months = selected.year * 12 + selected.month - 1 + step
    year, month = months // 12, months % 12 + 1
    turned = date(year, month, min(selected.day, calendar.monthrange(year, month)[1]))
    _show_month(page, picker, min(max(turned, picker.low), picker.high))
    if page.widgets["datepicker_is_open"]:
        page.focus(page[picker.input])


def _choose_day(page: Page, event: Event) -> bool:
    picker, day = event.argument
    input = page[picker.input]
    input.value = f"{day:%m/%d/%Y}"
    page.widgets["datepicker"], page.widgets["datepicker_is_open"] = day, False
    page.dispatch("change", input)
    if picker.fade:
        # The calendar that is still coming goes after it has come.
        coming = max(page.widgets["datepicker_faded_in"] - page.time, 0.0)
        page.after(coming + picker.fade, _hide_calendar)
    else:
        _hide_calendar(page, None)
    return False


def _hide_calendar(page: Page, argument: None) -> None:
    page["ui-datepicker-div"].is_hidden = True
