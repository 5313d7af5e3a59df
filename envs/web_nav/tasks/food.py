"""Tasks on the menu of a restaurant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..dom import Element, Markup
from ..page import Action, Event, Page


class _Dish(NamedTuple):
    name: str
    course: str
    kinds: tuple[str, ...]


_DISHES = (
    _Dish("Caesar Salad", "appetizer", ("vegan", "gluten-free")),
    _Dish("Garlic bread", "appetizer", ("vegan",)),
    _Dish("Spinach and goat cheese dip", "appetizer", ("dairy", "gluten-free")),
    _Dish("Chicken wings", "appetizer", ("meat",)),
    _Dish("Tofu and Vegetable stone pot", "entree", ("vegan", "gluten-free")),
    _Dish("Spicy Thai Peanut Chicken", "entree", ("meat", "peanuts")),
    _Dish("Grilled Pork Tenderloin", "entree", ("meat", "gluten-free")),
    _Dish("Spaghetti and Meatballs", "entree", ("meat",)),
    _Dish("Cheese wheel", "dessert", ("dairy", "gluten-free")),
    _Dish("Chocolate cake", "dessert", ("dairy",)),
    _Dish("Ice cream sundae", "dessert", ("dairy", "peanuts", "gluten-free")),
    _Dish("Coconut mango tart", "dessert", ("vegan",)),
)
_KINDS = ("dairy", "gluten-free", "meat", "peanuts", "vegan")
_MENU = Markup("""
<div id="appetizer"><h2>Appetizers</h2></div>
<div id="entree"><h2>Entrees</h2></div>
<div id="dessert"><h2>Desserts</h2></div>
<div id="submit-order"><button>Order!</button></div>""")
_ITEM = Markup("""
<div class="food-item">
  <div class="food-desc"><div class="item-name"></div><div class="types"></div></div>
  <div class="food-order"><span class="remove">-</span><span class="quantity"></span><span class="add">+</span></div>
</div>""")


class OrderFood(Page):
    """Order two named dishes, or so many of a kind."""

    name = "order-food"
    limit = 20_000.0

    def build(self) -> None:
        """Draw the order."""
        self.area.append(*_MENU.copy())
        for index, dish in enumerate(_DISHES):
            item = _ITEM.element()
            item.first("item-name").append(dish.name)
            images = (Element("IMG", attributes={"alt": kind, "title": kind}) for kind in dish.kinds)
            item.first("types").append(*images)
            item.first("remove").on("click", self.change, (index, -1))
            item.first("add").on("click", self.change, (index, 1))
            self[dish.course].append(item)
        self.amounts = (0,) * len(_DISHES)
        self["submit-order"].elements()[0].on("click", self.submit)
        if self.random.sample((0, 1)) == 0:
            self.ask_for_dishes()
        else:
            self.ask_for_kind()

    def ask_for_dishes(self) -> None:
        """Draw two dishes."""
        names: list[str] = []
        while len(names) < 2:
            dish = self.random.sample(_DISHES)
            if dish.name not in names:
                names.append(dish.name)
        self.names, self.kind, self.amount = tuple(names), "", 2
        self.utterance = f"Order one of each item: {', '.join(names)}"
        self.fields = (("criterion", "name"), ("target 0", names[0]), ("target 1", names[1]))

    def ask_for_kind(self) -> None:
        """Draw an amount and a kind."""
        self.amount = self.random.integer(2, 5)
        self.names, self.kind = (), self.random.sample(_KINDS)
        self.utterance = f"Order {self.amount} items that are {self.kind}"
        self.fields = (("criterion", "type"), ("amount", str(self.amount)), ("type", self.kind))

    def change(self, event: Event) -> None:
        """Order one more or one less of a dish."""
        index, step = event.argument
        amount = max(self.amounts[index] + step, 0)
        self.amounts = (*self.amounts[:index], amount, *self.amounts[index + 1 :])
        item = event.current.closest(".food-item")
        assert item is not None
        item.first("quantity").text = str(amount or "")
        if amount:
            item.add_class("selected")
        else:
            item.remove_class("selected")

    def right_amounts(self) -> tuple[int, ...]:
        """Return what is ordered of each dish if it is right, or else something right that is near to it."""
        if self.names:
            return tuple(int(dish.name in self.names) for dish in _DISHES)
        amounts, left = [], self.amount
        for dish, ordered in zip(_DISHES, self.amounts, strict=True):
            amounts.append(min(ordered, left) if self.kind in dish.kinds else 0)
            left -= amounts[-1]
        amounts[next(i for i, dish in enumerate(_DISHES) if self.kind in dish.kinds)] += left
        return tuple(amounts)

    def submit(self, event: Event) -> None:
        """Compare the order."""
        self.grade(self.amounts == self.right_amounts())

    def solve(self) -> Iterator[Action]:
        """Order less of what is too much, more of what is missing, submit."""
        items = self.area.all("food-item")
        for item, ordered, right in zip(items, self.amounts, self.right_amounts(), strict=True):
            for _ in range(abs(right - ordered)):
                yield Action(item.first("add" if right > ordered else "remove"))
        yield Action(self["submit-order"].elements()[0])
