"""Splits by hash: properties that hold for any rows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.errors import Refused
from ablation.task.text.data.splits import Rows, check_splits, complete, divide, fingerprint, same

TEXTS = st.lists(st.text("aAbBcd \n", max_size=4), min_size=1, max_size=40)
SHARES = st.floats(0.05, 0.5)


@st.composite
def rows_of(draw: st.DrawFn) -> Rows:
    texts = draw(TEXTS)
    labels = draw(st.lists(st.sampled_from("xyz"), min_size=len(texts), max_size=len(texts)))
    return Rows(texts, labels)


def pairs(rows: Rows) -> Counter[tuple[str, str]]:
    return Counter(zip(rows.texts, rows.labels, strict=True))


@given(rows_of(), SHARES)
def test_dividing_loses_and_doubles_nothing(rows: Rows, share: float) -> None:
    stay, taken = divide(rows, share)
    assert pairs(stay) + pairs(taken) == pairs(rows)


@given(rows_of(), SHARES)
def test_the_same_text_is_always_on_the_same_side(rows: Rows, share: float) -> None:
    stay, taken = divide(rows, share)
    assert not {same(text) for text in stay.texts} & {same(text) for text in taken.texts}


@given(rows_of(), SHARES)
def test_both_sides_keep_the_order_of_the_rows(rows: Rows, share: float) -> None:
    numbered = Rows(rows.texts, [f"{i:03}" for i in range(len(rows))])
    for side in divide(Rows(numbered.texts, ["x"] * len(rows)), share):
        positions = iter(rows.texts)
        assert all(any(text == other for other in positions) for text in side.texts)


@given(st.integers(0, 10_000), st.randoms())
def test_dividing_does_not_depend_on_the_order_of_the_rows(start: int, random) -> None:
    texts = [f"text {i}" for i in range(start, start + 50)]
    both = list(zip(texts, ["x", "y"] * 25, strict=True))
    expected = divide(Rows(*map(list, zip(*both, strict=True))), 0.2)
    random.shuffle(both)
    found = divide(Rows(*map(list, zip(*both, strict=True))), 0.2)
    assert [pairs(side) for side in found] == [pairs(side) for side in expected]


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25])
def test_each_class_gives_its_share(share: float) -> None:
    sizes = {"rare": 11, "some": 97, "many": 1009}
    labels = [label for label, size in sizes.items() for _ in range(size)]
    stay, taken = divide(Rows([f"text {i}" for i in range(len(labels))], labels), share)
    for label, size in sizes.items():
        assert abs(taken.labels.count(label) - share * size) <= 0.5
        assert stay.labels.count(label) + taken.labels.count(label) == size


def test_a_class_of_few_texts_gives_one_and_a_class_of_one_text_gives_none() -> None:
    rows = Rows(["one", "two", "alone", "Alone"], ["pair", "pair", "single", "single"])
    stay, taken = divide(rows, 0.1)
    assert taken.labels == ["pair"]
    assert sorted(stay.labels) == ["pair", "single", "single"]


def test_sides_look_like_a_random_draw() -> None:
    # Sorting by anything but a hash would take neighbours: the mean index gives it away.
    rows = Rows([f"text {i:05}" for i in range(10_000)], ["x"] * 10_000)
    _, taken = divide(rows, 0.2)
    mean = sum(int(text[5:]) for text in taken.texts) / len(taken)
    assert abs(mean - 5_000) < 4 * 10_000 / (12 * len(taken)) ** 0.5


def test_given_splits_are_kept_and_missing_ones_come_from_train() -> None:
    rows = Rows([f"text {i}" for i in range(100)], ["x", "y"] * 50)
    own = Rows(["own"], ["x"])
    shares = {"test_share": 0.2, "validation_share": 0.1}
    both = complete({"train": rows}, **shares)
    assert list(both) == ["train", "validation", "test"]
    assert [len(side) for side in both.values()] == [72, 8, 20]
    assert complete({"train": rows, "test": own}, **shares)["test"] is own
    assert len(complete({"test": own, "train": rows}, **shares)["train"]) == 90
    assert complete({"validation": own, "train": rows, "test": own}, **shares)["train"] is rows


def test_classes_are_sorted_and_those_of_train() -> None:
    train = Rows(["a", "b", "c"], ["z", "10", "9"])
    assert check_splits({"train": train, "test": Rows(["a"], ["z"])}) == ("10", "9", "z")


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ({"train": Rows(["a", "b"], ["x", "y"]), "test": Rows([], [])}, "test is empty"),
        ({"train": Rows([], []), "test": Rows(["a"], ["x"])}, "train is empty"),
        ({"train": Rows(["a", "b"], ["x", "x"])}, "one class: 'x'"),
        ({"train": Rows(["a", "b"], ["x", "y"]), "test": Rows(["a"], ["w"])}, "lacks: 'w'"),
        ({"train": Rows(["a", "b"], ["0", "1"]), "test": Rows(["a"], ["-1"])}, "hidden labels"),
    ],
)
def test_what_cannot_be_studied_is_refused(splits: dict[str, Rows], words: str) -> None:
    with pytest.raises(Refused, match=words):
        check_splits(splits)


@given(rows_of(), rows_of())
def test_fingerprints_are_equal_exactly_for_equal_content(one: Rows, other: Rows) -> None:
    equal = (one.texts, one.labels) == (other.texts, other.labels)
    assert (fingerprint({"train": one}) == fingerprint({"train": other})) == equal
    assert fingerprint({"train": one}) != fingerprint({"test": one})


def test_where_one_field_ends_is_part_of_the_content() -> None:
    assert fingerprint({"train": Rows(["ab"], ["c"])}) != fingerprint(
        {"train": Rows(["a"], ["bc"])}
    )
