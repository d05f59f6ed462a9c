import functools

import numpy as np
import pytest

from ehsod_tf.data.input.batch_plan import (
    count_steps_per_epoch,
    find_batch_canvases,
    make_batch_plan,
    make_evaluation_plan,
    select_host_rows,
)
from ehsod_tf.data.input.image_streams import draw_by_class
from ehsod_tf.errors import ConfigError, DataError

LYING, UPRIGHT, WIDE = (320, 448), (448, 320), (320, 640)
SIZES = np.array([LYING, UPRIGHT, WIDE, (640, 320), (320, 512), (512, 320)])
CANVASES = np.array([LYING] * 17 + [UPRIGHT] * 9 + [WIDE] * 5)


def is_mixed(plan, canvases):
    return (canvases[plan] != canvases[plan[:, :1]]).any(axis=(1, 2))


def test_one_canvas_makes_each_epoch_a_permutation():
    plan = make_batch_plan(np.array([LYING] * 12), batch_size=4, epochs=3, seed=0)
    for epoch in plan.reshape(3, 12):
        np.testing.assert_array_equal(np.sort(epoch), np.arange(12))
    assert (plan[:3] != plan[3:6]).any()


def test_number_of_steps():
    assert count_steps_per_epoch(31, 4) == 7
    assert count_steps_per_epoch(3, 4) == 1
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=5, seed=0)
    assert plan.shape == (35, 4) and plan.dtype == np.int64


@pytest.mark.parametrize(
    "num_rare, batch_size", [(1, 16), (1, 8), (3, 8), (5, 16), (1, 2), (1, 1)]
)
def test_rare_canvases_are_seen_in_every_epoch(num_rare, batch_size):
    """Each alone would wait for a batch of its own canvas for many epochs."""
    canvases = np.array([LYING] * 200 + [UPRIGHT] * num_rare)
    plan = make_batch_plan(canvases, batch_size, epochs=12, seed=0)
    counts = np.bincount(plan.reshape(-1), minlength=len(canvases))
    assert counts.min() >= 10
    # The end of one epoch and the beginning of the next can meet in a batch.
    assert (plan >= 200).sum(axis=1).max() <= 2 * num_rare
    # Each mixed batch has a reason: one of the rare images, or several.
    assert is_mixed(plan, canvases).sum() <= 13 * num_rare


def list_delays(plan, images, quota, stream):
    """Steps from the turn of every draw of a stream to the batch that holds it."""
    steps_of = {image: [] for image in images.tolist()}
    for step, row in enumerate(plan.tolist()):
        for image in row:
            if image in steps_of:
                steps_of[image].append(step)
    seen = dict.fromkeys(steps_of, 0)
    delays = []
    for place, image in enumerate(stream.tolist()):
        if seen[image] < len(steps_of[image]):
            delays.append(steps_of[image][seen[image]] - place // quota)
            seen[image] += 1
        else:
            # Not seen in this run: it must have had its turn near the end.
            delays.append(len(plan) - place // quota)
    return delays


@pytest.mark.parametrize("case", range(40))
def test_every_image_is_seen_within_an_epoch_of_its_turn(case):
    """Random sets, batch sizes and shares of strong images; every draw is counted."""
    rng = np.random.default_rng(case)
    num_images = int(rng.integers(2, 150))
    shares = rng.dirichlet(np.full(len(SIZES), 0.4))
    canvases = SIZES[rng.choice(len(SIZES), num_images, p=shares)]
    batch_size = int(rng.integers(2, 20))
    is_strong = rng.random(num_images) < rng.random()
    fraction = (1 + rng.integers(0, batch_size - 1)) / batch_size if case % 2 else None
    drawn = []

    def draw(images, length, seed):
        rounds = -(-length // len(images))
        stream = np.concatenate([rng.permutation(images) for _ in range(rounds)])
        drawn.append((images, stream[:length]))
        return stream[:length]

    plan = make_batch_plan(
        canvases,
        batch_size,
        epochs=5,
        seed=0,
        is_strong=is_strong,
        strong_fraction=fraction,
        draw=draw,
    )
    assert ((plan >= 0) & (plan < num_images)).all()
    for number, (images, stream) in enumerate(drawn):
        quota = batch_size
        if len(drawn) == 2:
            quota = round(fraction * batch_size)
            quota = batch_size - quota if number else quota
        of_run = stream[: len(plan) * quota]
        delays = list_delays(plan, images, quota, of_run)
        epoch = count_steps_per_epoch(len(images), quota)
        # Early, where others wait that had their turn before.
        assert np.abs(delays).max() <= max(1, epoch // 2)


def test_mixed_batches_are_few_and_their_canvases_small():
    canvases = np.array([LYING] * 150 + [UPRIGHT] * 40 + [WIDE] * 8 + [(640, 320)] * 2)
    plan = make_batch_plan(canvases, batch_size=8, epochs=10, seed=0)
    mixed = is_mixed(plan, canvases)
    assert 0 < mixed.mean() < 0.25
    batch_canvases = find_batch_canvases(plan, canvases)
    assert (batch_canvases[:, None] >= canvases[plan]).all()
    np.testing.assert_array_equal(batch_canvases[~mixed], canvases[plan[~mixed, 0]])
    # Lying images go along with wide ones, and upright with tall ones, while any wait.
    areas = batch_canvases.prod(axis=1)
    assert areas.mean() < 1.2 * canvases.prod(axis=1).mean()


def test_images_are_seen_equally_often_but_for_the_queues():
    epochs = 20
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=epochs, seed=1)
    counts = np.bincount(plan.reshape(-1), minlength=len(CANVASES))
    # Seven steps of four leave 3 of the 31 images to the next epoch, so 20 epochs of
    # steps are 18 of images.
    assert counts.min() >= 17 and counts.max() <= 20


def test_a_longer_run_begins_like_a_shorter_one():
    for options in ({}, {"is_strong": np.arange(31) < 9, "strong_fraction": 0.5}):
        short = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0, **options)
        long = make_batch_plan(CANVASES, batch_size=4, epochs=7, seed=0, **options)
        np.testing.assert_array_equal(long[: len(short)], short)


def test_the_seed_decides():
    first = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    same = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=0)
    other = make_batch_plan(CANVASES, batch_size=4, epochs=2, seed=1)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_fewer_images_than_a_batch():
    plan = make_batch_plan(np.array([LYING, UPRIGHT]), batch_size=4, epochs=3, seed=0)
    assert plan.shape == (3, 4)
    # The last two batches may have kept one another's images back.
    assert np.bincount(plan.reshape(-1)).min() >= 4


def test_no_images():
    with pytest.raises(DataError, match="no image"):
        make_batch_plan(np.zeros([0, 2], int), batch_size=4, epochs=3, seed=0)


def fix_fraction(is_strong, fraction, epochs=20, canvases=CANVASES, **options):
    return make_batch_plan(
        canvases,
        batch_size=4,
        epochs=epochs,
        seed=0,
        is_strong=is_strong,
        strong_fraction=fraction,
        **options,
    )


def test_fixed_fraction_of_strong_images():
    is_strong = np.arange(len(CANVASES)) % 5 == 0
    plan = fix_fraction(is_strong, 0.5)
    np.testing.assert_array_equal(is_strong[plan], [[True, True, False, False]] * 140)
    counts = np.bincount(plan.reshape(-1), minlength=len(CANVASES))
    for kind in (is_strong, ~is_strong):
        assert counts[kind].min() >= counts[kind].max() - 2 and counts[kind].min() > 0


def test_a_canvas_of_one_kind_has_the_fraction_too():
    """All lying and wide images are strong, all upright ones weak."""
    is_strong = (CANVASES != UPRIGHT).any(axis=1)
    plan = fix_fraction(is_strong, 0.25, epochs=5)
    np.testing.assert_array_equal(is_strong[plan].sum(axis=1), 1)


def test_images_of_one_kind_keep_their_plan():
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=5, seed=0)
    for kind in (True, False):
        mixed = fix_fraction(np.full(len(CANVASES), kind), 0.25, epochs=5)
        np.testing.assert_array_equal(mixed, plan)


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.9, 1.0])
def test_wrong_fraction(fraction):
    with pytest.raises(ConfigError, match=f"strong_fraction {fraction}"):
        fix_fraction(np.arange(31) < 9, fraction)


def test_strong_and_weak_images_meet_anew():
    """As many strong as weak images: were both lists shuffled alike, each strong image
    would always have the same weak one beside it."""
    canvases, is_strong = np.array([LYING] * 20), np.arange(20) < 10
    plan = fix_fraction(is_strong, 0.5, epochs=10, canvases=canvases)
    assert len({(row[0], row[2]) for row in plan.tolist()}) > 35


@pytest.fixture
def draw():
    """Class 0 is in all images but those of class 1, which are two of each canvas."""
    shows = np.zeros([len(CANVASES), 2], bool)
    shows[[3, 12, 18, 22, 26, 29], 1] = True
    shows[:, 0] = ~shows[:, 1]
    return functools.partial(draw_by_class, shows=shows)


def test_class_aware_batches(draw):
    rare = draw.keywords["shows"][:, 1]
    plan = make_batch_plan(CANVASES, batch_size=4, epochs=20, seed=0, draw=draw)
    assert plan.shape == (140, 4)
    # What waits at the end is three batches at most.
    assert abs(rare[plan].sum() - 280) <= 12
    plain = make_batch_plan(CANVASES, batch_size=4, epochs=20, seed=0)
    assert rare[plain].sum() < 150
    longer = make_batch_plan(CANVASES, batch_size=4, epochs=31, seed=0, draw=draw)
    np.testing.assert_array_equal(longer[:140], plan)


def test_class_aware_batches_with_a_fixed_fraction(draw):
    """Strong and weak images: classes in turns in each of the two streams."""
    rare = draw.keywords["shows"][:, 1]
    is_strong = np.isin(np.arange(31), [0, 1, 2, 3, 17, 18, 19, 27, 28, 29])
    plan = fix_fraction(is_strong, 0.5, epochs=40, draw=draw)
    np.testing.assert_array_equal(is_strong[plan], [[True, True, False, False]] * 280)
    for stream in (plan[:, :2], plan[:, 2:]):
        assert abs(rare[stream].sum() - stream.size // 2) <= 6


def test_hosts_share_the_rows():
    rows = np.arange(12)
    shares = [rows[select_host_rows(12, host, 4)] for host in range(4)]
    np.testing.assert_array_equal(np.concatenate(shares), rows)
    assert all(len(share) == 3 for share in shares)


@pytest.mark.parametrize(
    "batch_size, host, hosts, message",
    [
        (4, 0, 3, "a batch of 4 cannot be shared evenly by 3 hosts"),
        (2, 0, 4, "a batch of 2 cannot"),
        (4, 2, 2, "host_index 2 is not one of 2 hosts"),
        (4, -1, 2, "host_index -1"),
        (4, 0, 0, "host_index 0 is not one of 0 hosts"),
    ],
)
def test_wrong_hosts(batch_size, host, hosts, message):
    with pytest.raises(ConfigError, match=message):
        select_host_rows(batch_size, host, hosts)


def test_evaluation_covers_each_image_once():
    canvas_of_image = np.array([0] * 17 + [1] * 9 + [4] * 5)
    plan = make_evaluation_plan(canvas_of_image, batch_size=4)
    assert plan.shape == (5 + 3 + 2, 4)
    np.testing.assert_array_equal(np.sort(plan[plan >= 0]), np.arange(31))
    assert (plan[:, 0] >= 0).all()
    for row in plan:
        assert len(set(canvas_of_image[row[row >= 0]])) == 1
