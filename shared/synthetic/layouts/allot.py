"""Allotment of a corpus's printed counts: emotions to people, action units to clips, each total met exactly."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np


def uneven(
    total: int, people: Sequence[str], rng: np.random.Generator, low: int = 1, spread: float = 0.7
) -> dict[str, int]:
    """How many of `total` clips each person has: uneven whole numbers, none below `low`."""
    weights = rng.lognormal(sigma=spread, size=len(people))
    more = proportional(total - low * len(people), weights)
    return {person: low + n for person, n in zip(people, more, strict=True)}


def proportional(total: int, weights: Sequence[float]) -> list[int]:
    """`total` split into whole numbers in proportion to the weights (largest remainders)."""
    exact = total * np.asarray(weights, float) / np.sum(weights)
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts.tolist()


def evenly(counts: Mapping[str, int], people: Sequence[str]) -> list[tuple[str, str]]:
    """(person, emotion) pairs, each emotion spread over the people as evenly as its count allows."""
    tokens = [emotion for emotion, n in counts.items() for _ in range(n)]
    return sorted((people[i % len(people)], emotion) for i, emotion in enumerate(tokens))


def deal(
    counts: Mapping[str, int],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    *,
    only: Mapping[str, Collection[str]] | None = None,
    each: Collection[str] = (),
) -> list[tuple[str, str]]:
    """(person, emotion) pairs with exactly these counts and sizes.

    `only` limits what some people show; everyone else shows at least one emotion of `each`.
    Raises ValueError if that is impossible.
    """
    pool = [emotion for emotion, n in counts.items() for _ in range(n)]
    if len(pool) != sum(sizes.values()):
        raise ValueError(f"{len(pool)} clips for {sum(sizes.values())} places")
    rng.shuffle(pool)
    hands = {person: [] for person in sizes}

    def take(person: str, allowed: Collection[str]) -> None:
        at = next((i for i, emotion in enumerate(pool) if emotion in allowed), None)
        if at is None:
            raise ValueError(f"none of {sorted(allowed)} is left for {person}")
        hands[person].append(pool.pop(at))

    only = only or {}
    for person, allowed in only.items():
        for _ in range(sizes[person]):
            take(person, allowed)
    if each:
        for person in sizes:
            if person not in only:
                take(person, each)
    for person, size in sizes.items():
        while len(hands[person]) < size:
            hands[person].append(pool.pop())
    return [(person, emotion) for person, hand in hands.items() for emotion in sorted(hand)]


def fit_units(
    wishes: Sequence[Sequence[int]],
    likely: Sequence[Mapping[int, float]],
    counts: Mapping[int, int],
    rng: np.random.Generator,
    *,
    shared: Collection[int],
    bare: Collection[int] = (),
    blank: Collection[int] = (),
) -> list[tuple[int, ...]]:
    """The AUs of each clip, as near to its wish as the totals `counts` (AU → clips) allow.

    Clips in `bare` show none of the AUs in `shared`, clips in `blank` none of those counted, all others at least one
    of `shared`. AUs that are not counted stay as wished. Raises ValueError if the totals cannot be met.
    """
    aus = sorted(counts)
    in_shared = np.isin(aus, list(shared))
    score = np.array(
        [[2.0 * (au in wish) + odds.get(au, 0) for au in aus] for wish, odds in zip(wishes, likely, strict=True)]
    )
    score += rng.uniform(0, 0.3, score.shape)
    score[np.ix_(sorted(bare), in_shared)] = -np.inf
    score[sorted(blank)] = -np.inf
    chosen = np.zeros(score.shape, bool)
    for column, au in enumerate(aus):
        chosen[np.argsort(-score[:, column], kind="stable")[: counts[au]], column] = True
    if not np.isfinite(score[chosen]).all():
        raise ValueError("more clips are to show an AU than may show it")

    uncounted = [tuple(au for au in wish if au not in counts) for wish in wishes]
    full = [i for i in range(len(wishes)) if i not in bare and i not in blank]
    empty = [i for i in bare if i not in blank and not uncounted[i]]
    _cover(chosen, score, full, in_shared, givers=full, kept=in_shared)
    _cover(chosen, score, empty, ~in_shared, givers=full, kept=in_shared)
    return [
        _ordered(wish, {aus[k] for k in np.flatnonzero(row)} | set(rest))
        for wish, row, rest in zip(wishes, chosen, uncounted, strict=True)
    ]


def _ordered(wish: Sequence[int], aus: set[int]) -> tuple[int, ...]:
    """The clip's AUs, those wished for first and in the wish's order (the leading one is the strongest)."""
    return (*(au for au in wish if au in aus), *sorted(aus - set(wish)))


def _cover(
    chosen: np.ndarray,
    score: np.ndarray,
    rows: Sequence[int],
    columns: np.ndarray,
    givers: Sequence[int],
    kept: np.ndarray,
) -> None:
    """Move AUs within their columns, so that totals stay, until each row has one of `columns`.

    `columns` and `kept` are masks; those that give keep an AU of `kept`. Raises ValueError if none can give.
    """
    for row in rows:
        if chosen[row, columns].any():
            continue
        moves = [
            (score[row, column] - score[giver, column], giver, column)
            for column in np.flatnonzero(columns)
            for giver in givers
            if chosen[giver, column] and chosen[giver, kept].sum() - kept[column] > 0
        ]
        if not moves:
            raise ValueError("too few AUs for each clip to show one")
        _, giver, column = max(moves)
        chosen[giver, column], chosen[row, column] = False, True
