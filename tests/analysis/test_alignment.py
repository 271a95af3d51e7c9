"""Layers are paired by name, and between equal names by type."""

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.analysis import alignment
from archcalc.analysis.alignment import Key, align


def keys(text: str) -> list[Key]:
    """`a:conv b:relu` as keys; a name alone is its own type."""
    return [Key(*(word.split(":") * 2)[:2]) for word in text.split()]


def pairing(left: str, right: str) -> str:
    """Every pair as `name=name`; the side without a layer is empty."""
    ours, theirs = keys(left), keys(right)
    found = align(ours, theirs)
    return " ".join(f"{'' if i is None else ours[i].name}={'' if j is None else theirs[j].name}" for i, j in found)


@pytest.mark.parametrize(
    ("left", "right", "pairs"),
    [
        ("a b c", "a b c", "a=a b=b c=c"),
        ("a b c", "a c", "a=a b= c=c"),
        ("a c", "a b c", "a=a =b c=c"),
        ("", "", ""),
        ("a", "", "a="),
        # By name, even if the type differs, before types.
        ("a:conv b:relu", "b:conv a:relu", "a= b=b =a"),
        ("x:conv b", "a:conv b", "x=a b=b"),
        # Between equal names by type, as many as there are.
        ("in p:conv q:relu r:conv out", "in x:relu y:conv out", "in=in p= q=x r=y out=out"),
        ("p:conv q:conv", "x:conv", "p=x q="),
        ("p:conv", "x:relu", "p= =x"),
        # As many names as the order allows, two of three.
        ("a b c", "c a b", "=c a=a b=b c="),
    ],
)
def test_pairs(left: str, right: str, pairs: str) -> None:
    assert pairing(left, right) == pairs


NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True).map(lambda names: [Key(name, name) for name in names])
TYPES = st.lists(st.sampled_from("pqr"), max_size=8)


def longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    """By trying every subsequence of the first."""

    def is_in(words: tuple[str, ...]) -> bool:
        rest = iter(right)
        return all(word in rest for word in words)

    return next(n for n in range(len(left), -1, -1) if any(map(is_in, combinations(left, n))))


@given(NAMES, NAMES)
def test_every_layer_is_there_once_and_in_order(left: list[Key], right: list[Key]) -> None:
    pairs = align(left, right)
    assert [i for i, _ in pairs if i is not None] == [*range(len(left))]
    assert [j for _, j in pairs if j is not None] == [*range(len(right))]
    assert all(pair != (None, None) for pair in pairs)


@given(NAMES, NAMES)
def test_as_many_names_as_the_order_allows(left: list[Key], right: list[Key]) -> None:
    equal = sum(i is not None and j is not None for i, j in align(left, right))
    assert equal == longest_common([key.name for key in left], [key.name for key in right])


@given(TYPES, TYPES)
def test_as_many_types_as_the_order_allows(left: list[str], right: list[str]) -> None:
    ours = [Key(f"a{number}", kind) for number, kind in enumerate(left)]
    theirs = [Key(f"b{number}", kind) for number, kind in enumerate(right)]
    pairs = [(i, j) for i, j in align(ours, theirs) if i is not None and j is not None]
    assert all(left[i] == right[j] for i, j in pairs)
    assert len(pairs) == longest_common(left, right)


def test_long_sequences_are_paired_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 5)
    assert pairing("p:conv q:relu r:conv", "x:conv y:conv z:conv") == "p=x q= =y r=z"


def test_many_gaps_together_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "MAX_CELLS", 4)
    left, right = "p:conv q:relu m:add r:conv s:relu", "x:relu y:conv m:add z:relu t:conv"
    assert pairing(left, right) == "p= q=x =y m=m r= s= =z =t"


def test_a_hundred_thousand_layers_are_paired_in_linear_time() -> None:
    left = [Key(f"a{number}", "relu") for number in range(100_000)]
    right = [Key(f"b{number}", "relu") for number in reversed(range(100_000))]
    assert len(align(left, right)) == 100_000
    assert len(align(left, left[::-1])) == 199_999
