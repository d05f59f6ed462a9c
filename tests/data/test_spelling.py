import pytest

from ehsod_tf.data.spelling import (
    describe_difference,
    find_joined_names,
    find_similar,
    fold,
    list_lookalikes,
    refuse_lookalikes,
    suggest,
)
from ehsod_tf.errors import DataError

CASE = "upper and lower case"
SPACES = "spaces or invisible characters"
FORM = "the Unicode form of characters"


@pytest.mark.parametrize(
    "first, second, difference",
    [
        ("Bus", "bus", f"{CASE} only"),
        ("bus ", "bus", f"{SPACES} only: 'bus ' against 'bus'"),
        ("bus\u200b", "bus", f"{SPACES} only: 'bus\\u200b' against 'bus'"),
        ("fire truck", "firetruck", f"{SPACES} only: 'fire truck' against 'firetruck'"),
        ("caf\u00e9", "cafe\u0301", f"{FORM} only: 'caf\\xe9' against 'cafe\\u0301'"),
        ("\uff42us", "bus", f"{FORM} only: '\\uff42us' against 'bus'"),
        ("BUS ", "bus", f"{CASE} and {SPACES} only: 'BUS ' against 'bus'"),
    ],
)
def test_lookalikes(first, second, difference):
    assert fold(first) == fold(second)
    assert describe_difference(first, second) == difference
    assert list_lookalikes([first], [second, "cat", first]) == [(first, second)]
    assert find_similar(first, ["cat", second]) == [second]
    assert difference in suggest(first, ["cat", second])
    with pytest.raises(DataError, match="differ in .*list all classes in class_names"):
        refuse_lookalikes(["cat", first, second], "file")


@pytest.mark.parametrize(
    "first, second",
    [("bus", "bug"), ("e", "\u00e9"), ("traffic_light", "traffic light"), ("1", "2")],
)
def test_other_names(first, second):
    assert fold(first) != fold(second)
    refuse_lookalikes([first, second], "file")


@pytest.mark.parametrize(
    "name, names, is_joined",
    [
        ("bus|cat", ["dog"], True),
        ("bus, cat", ["dog"], True),
        ("bus/cat", ["bus", "cat"], True),
        ("bus/cat", ["bus"], False),
        ("bus cat", ["bus", "cat"], True),
        ("fire truck", ["truck"], False),
        ("bus", ["bus", "cat"], False),
        ("Schr\u00e4nke & Regale", ["cat"], False),
    ],
)
def test_several_classes_in_one_name(name, names, is_joined):
    assert bool(find_joined_names(name, [*names, name])) == is_joined
