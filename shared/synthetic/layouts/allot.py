"""Released counts shared out: clips to people, emotions to clips, action units to clips. Every total is met exactly."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Pair(NamedTuple):
    """Who shows which emotion in a clip."""

    subject: str
    emotion: str


def uneven(
    total: int, people: Sequence[str], rng: np.random.Generator, low: int = 1, spread: float = 0.7
) -> dict[str, int]:
    """The number of clips of each person: whole numbers, uneven, none below `low`, `total` in all."""
    more = proportional(total - low * len(people), rng.lognormal(sigma=spread, size=len(people)))
    return {person: low + n for person, n in zip(people, more, strict=True)}


def proportional(total: int, weights: Sequence[float] | np.ndarray) -> list[int]:
    """`total` split into whole numbers in proportion to the weights (largest remainders)."""
    exact = total * np.asarray(weights, float) / np.sum(weights)
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts.tolist()


def evenly(counts: Mapping[str, int], people: Sequence[str]) -> list[Pair]:
    """Each emotion spread over the people as evenly as its count allows; sorted."""
    emotions = Counter(counts).elements()
    return sorted(Pair(people[i % len(people)], emotion) for i, emotion in enumerate(emotions))


def unevenly(
    counts: Mapping[str, int], people: Sequence[str], rng: np.random.Generator, low: int = 2, spread: float = 0.7
) -> list[Pair]:
    """The emotions dealt to people who have unevenly many clips; sorted."""
    return sorted(deal(counts, uneven(sum(counts.values()), people, rng, low, spread), rng))


def deal(
    counts: Mapping[str, int],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    *,
    only: Mapping[str, Collection[str]] | None = None,
    each: Collection[str] = (),
) -> list[Pair]:
    """Pairs with exactly these counts of emotions and these sizes: person -> clips.

    `only` limits what some people show; everyone else shows at least one emotion of `each`.
    Raises ValueError if that is impossible.
    """
    only = only or {}
    pool = list(Counter(counts).elements())
    rng.shuffle(pool)
    hands: dict[str, list[str]] = {person: [] for person in sizes}
    first = [(person, allowed) for person, allowed in only.items() for _ in range(sizes[person])]
    first += [(person, each) for person in sizes if each and person not in only]
    for person, allowed in first:
        at = next((i for i, emotion in enumerate(pool) if emotion in allowed), None)
        if at is None:
            raise ValueError(f"none of {sorted(allowed)} is left for {person}")
        hands[person].append(pool.pop(at))
    for person, size in sizes.items():
        while len(hands[person]) < size:
            hands[person].append(pool.pop())
    return [Pair(person, emotion) for person, hand in hands.items() for emotion in sorted(hand)]


def _give_each(
    chosen: np.ndarray, score: np.ndarray, is_shared: np.ndarray, full: Sequence[int], empty: Sequence[int]
) -> None:
    """Move AUs between clips, in `chosen` (clips, AUs), until each clip in `full` shows one that is shared and each in
    `empty` another one. Raises ValueError if there are too few."""
    for i in (*full, *empty):
        allowed = is_shared if i in full else ~is_shared
        if chosen[i, allowed].any():
            continue
        moves = [  # within a column, so that totals stay, from a clip that keeps a shared AU
            (score[i, k] - score[giver, k], giver, k)
            for k in np.flatnonzero(allowed).tolist()
            for giver in full
            if chosen[giver, k] and chosen[giver, is_shared].sum() > is_shared[k]
        ]
        if not moves:
            raise ValueError("too few AUs for each clip to show one")
        _, giver, k = max(moves)
        chosen[giver, k], chosen[i, k] = False, True


def fit_units(
    wishes: Sequence[Sequence[int]],
    likely: Sequence[Mapping[int, float]],
    counts: Mapping[int, int],
    rng: np.random.Generator,
    *,
    shared: Collection[int],
    bare: Collection[int] = (),
    uncoded: Collection[int] = (),
) -> list[tuple[int, ...]]:
    """The AUs of each clip, as near to its wish as the totals `counts` (AU -> clips) allow, wished ones first.

    Clips in `bare` show none of the AUs in `shared`, all others at least one. Clips in `uncoded` stay as wished and do
    not count, nor do AUs outside `counts`. Raises ValueError if the totals cannot be met.
    """
    aus = sorted(counts)
    is_shared = np.isin(aus, list(shared))
    score = np.array(
        [[2.0 * (au in wish) + odds.get(au, 0) for au in aus] for wish, odds in zip(wishes, likely, strict=True)]
    )
    score += rng.uniform(0, 0.3, score.shape)
    for i in bare:
        score[i, is_shared] = -np.inf
    for i in uncoded:
        score[i] = -np.inf
    chosen = np.zeros(score.shape, bool)
    for k, au in enumerate(aus):
        chosen[np.argsort(-score[:, k], kind="stable")[: counts[au]], k] = True
    if not np.isfinite(score[chosen]).all():
        raise ValueError("more clips are to show an AU than may show it")
    full = [i for i in range(len(wishes)) if i not in bare and i not in uncoded]
    empty = [i for i in bare if i not in uncoded and all(au in counts for au in wishes[i])]
    _give_each(chosen, score, is_shared, full, empty)
    fitted = []
    for i, wish in enumerate(wishes):
        shown = {aus[k] for k in np.flatnonzero(chosen[i])} | {au for au in wish if au not in counts or i in uncoded}
        fitted.append((*(au for au in wish if au in shown), *sorted(shown - set(wish))))
    return fitted
