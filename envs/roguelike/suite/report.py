"""What `bench` found, as Markdown and as a heat map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from .bench import LEAD, Bench, Outcome
from .patches import STRENGTHS
from .statistics import Estimate

#: Colours of -1, 0 and 1, which also differ for colour-blind eyes (ColorBrewer's RdBu).
_COLORS = ((178, 24, 43), (247, 247, 247), (33, 102, 172))
#: A change of wins so large has the full colour.
_FULL = 0.4
_LABEL, _CELL, _ROW, _GAP, _EDGE = 150, 74, 22, 30, 20
#: What a balance table shows.
BALANCE = (
    "Wins of the npc in percent, when the rule named plays both sides. The npc begins, and has the hit points of the "
    "phase, in the last one of the base design fewer than its target on average."
)
_FONT = "font-family='DejaVu Sans, Helvetica, Arial, sans-serif'"


def points(estimate: Estimate) -> str:
    """Write a difference of shares in percentage points, with its interval."""
    value, low, high = (100.0 * x for x in estimate)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def percent(estimate: Estimate) -> str:
    """Write a share in percent, with its interval."""
    value, low, high = (100.0 * x for x in estimate)
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def ratio(estimate: Estimate | None) -> str:
    """Write a retention, with its interval; nothing where it is unknown."""
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]" if estimate else ""


def describe(bench: Bench) -> str:
    """Say what was played."""
    setup, base = bench.setup, bench.designs[0]
    phase = f"phase {setup.phase}" if setup.phase else "the last phase"
    oracle = f", `{bench.oracle}` {100.0 * base.oracle:.1f} %" if base.oracle is not None else ""
    return (
        f"`{bench.policy}` as {setup.npc_class} in {phase} against {setup.opponent or 'the opponent of the design'}: "
        f"{bench.episodes} episodes of each design, the same seeds for all. Of those of `{bench.design}` without a "
        f"patch it wins {percent(base.win)} %, random play {100.0 * base.random:.1f} %{oracle}."
    )


def caveat(bench: Bench) -> str:
    """Say what the numbers mean, and what is not known."""
    known = bench.profile["all"].known
    sentences = ["Intervals are at 95 %, over episodes."]
    if known:
        sentences.append(
            f"Retention is (wins - random) / (oracle - random), with `{bench.oracle}`, which knows the design, as the "
            f"oracle. It is told for {known} of {len(bench.designs) - 1} designs: where the oracle's number is known "
            f"and {100.0 * LEAD:g} points ahead of random play."
        )
    else:
        sentences.append("Retention is left out: no oracle's numbers are known for these designs, see `--oracle`.")
    if bench.unchanged:
        sentences.append(f"Left out, since they change nothing here: {', '.join(bench.unchanged)}.")
    return " ".join(sentences)


def markdown(bench: Bench, picture: str, command: str) -> str:
    """Return the results as a page.

    Args:
        bench: the results.
        picture: path of the heat map.
        command: that made them.
    """
    profile = [
        (name.replace("_", " "), points(one.change), ratio(one.retention)) for name, one in bench.profile.items()
    ]
    rows = [
        (patch, *(points(by[s].change) if s in by else "" for s in STRENGTHS),
         *(ratio(by[s].retention) if s in by else "" for s in STRENGTHS))
        for patches in grouped(bench).values() for patch, by in patches.items()
    ]  # fmt: skip
    worst = next(one for one in bench.designs if f"{one.patch}:{one.strength}" == bench.worst)
    kept = f", retention {ratio(worst.retention)}" if worst.retention else ""
    heads = [f"{strength}: {what}" for what in ("wins", "retention") for strength in STRENGTHS]
    return f"""# {bench.policy} under changed designs

Made by `{command}`.

{describe(bench)} {caveat(bench)}

## Robustness profile

{table(("family of patches", "wins, points", "retention"), profile)}
Worst is `{bench.worst}`: {points(worst.change)} points{kept}. It was picked for being the worst of
{len(bench.designs) - 1}, so that its own interval lies a little too low.

![Change of wins by patch and strength]({picture})

## By patch

{table(("patch", *heads), rows)}"""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, the first column to the left."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def balance_table(rule: str, wins: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Return how classes fare against each other, npc by row."""
    rows = [(npc, *(f"{100.0 * cell.value:.1f}" for cell in cells.values())) for npc, cells in wins.items()]
    return table((f"`{rule}`: npc \\ target", *wins), rows)


def grouped(bench: Bench) -> dict[str, dict[str, dict[str, Outcome]]]:
    """Return the results as family -> patch -> strength -> result."""
    groups: dict[str, dict[str, dict[str, Outcome]]] = {}
    for one in bench.designs[1:]:
        groups.setdefault(one.family, {}).setdefault(one.patch, {})[one.strength] = one
    return groups


def heat_map(bench: Bench) -> str:
    """Return a picture of the change of wins, and of the retention where it is known, as SVG."""
    has_retention = bench.profile["all"].known > 0
    panels = ["change of wins, points", *(["retention"] if has_retention else [])]
    lefts = [_EDGE + _LABEL + k * (len(STRENGTHS) * _CELL + _GAP) for k in range(len(panels))]
    body: list[str] = []
    for left, panel in zip(lefts, panels, strict=True):
        body.append(_text(left, 66, panel, "font-weight='bold'"))
        for k, strength in enumerate(STRENGTHS):
            body.append(_text(left + (k + 0.5) * _CELL, 84, strength, "text-anchor='middle' fill='#666'"))
    y = 92
    for family, patches in grouped(bench).items():
        y += 20
        body.append(_text(_EDGE, y - 5, family.replace("_", " "), "font-weight='bold'"))
        for patch, by in patches.items():
            body.append(_text(_EDGE + 8, y + 15, patch))
            for k, strength in enumerate(STRENGTHS):
                if strength in by:
                    body += _cells(by[strength], [left + k * _CELL for left in lefts], y)
            y += _ROW
    width, height = lefts[-1] + len(STRENGTHS) * _CELL + _EDGE, y + 34
    base = bench.designs[0]
    none, full = "0", f"{100.0 * _FULL:g} points"
    if has_retention:
        none, full = f"{none}, or a retention of 1", f"{full}, or a retention of 0"
    head = [
        _text(_EDGE, 26, f"{bench.policy} under changed designs", "font-weight='bold' font-size='16'"),
        _text(_EDGE, 44, f"unchanged: {percent(base.win)} % wins; {bench.episodes} episodes each", "fill='#666'"),
        _text(_EDGE, height - 12, f"grey: the interval includes {none}; full colour: {full}", "fill='#666'"),
    ]
    return "\n".join([
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
        f"font-size='12' {_FONT}>",
        f"<rect width='{width}' height='{height}' fill='#fff'/>",
        *head, *body, "</svg>", "",
    ])  # fmt: skip


def _cells(one: Outcome, lefts: Sequence[float], y: float) -> Iterator[str]:
    """Draw a design's cells, one in each panel."""
    kept = one.retention
    shown = [(f"{100.0 * one.change.value:+.1f}", one.change, one.change.value / _FULL)]
    if len(lefts) > 1 and kept is not None:
        shown.append((f"{kept.value:.2f}", Estimate(*(x - 1.0 for x in kept)), kept.value - 1.0))
    for left, (text, difference, shade) in zip(lefts, shown, strict=False):
        rect = f"width='{_CELL - 2}' height='{_ROW - 2}' rx='2' fill='{_color(shade)}'"
        title = f"<title>{escape(one.patch)}:{one.strength} {points(one.change)} {ratio(kept)}</title>"
        yield f"<rect x='{left + 1}' y='{y + 1}' {rect}>{title}</rect>"
        is_clear = difference.low > 0.0 or difference.high < 0.0
        ink = "#999" if not is_clear else "#fff" if abs(shade) > 0.7 else "#222"
        yield _text(left + _CELL / 2, y + 15, text, f"text-anchor='middle' fill='{ink}'")


def _color(shade: float) -> str:
    shade = min(max(shade, -1.0), 1.0)
    end = _COLORS[0] if shade < 0.0 else _COLORS[2]
    mixed = (round(middle + abs(shade) * (far - middle)) for middle, far in zip(_COLORS[1], end, strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f"<text x='{x:g}' y='{y:g}' {style or 'fill=' + repr('#222')}>{escape(text)}</text>"
