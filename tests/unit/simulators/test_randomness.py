"""Draws depend on who, what for and when, and on nothing else."""

import numpy as np

from simulators.randomness import draw, fraction, keys, lane, lognormal_table, lookup, normal, salt, smooth, uniform


def test_a_draw_does_not_depend_on_its_neighbours() -> None:
    everyone = keys(7, "meter", np.arange(100))
    alone = keys(7, "meter", np.array([42]))
    assert draw(everyone, salt("x"), 5)[42] == draw(alone, salt("x"), 5)[0]


def test_seeds_kinds_purposes_and_counters_give_other_draws() -> None:
    entity = keys(7, "meter", np.arange(1_000))
    base = draw(entity, salt("x"), 5)
    others = [
        draw(keys(8, "meter", np.arange(1_000)), salt("x"), 5),
        draw(keys(7, "feeder", np.arange(1_000)), salt("x"), 5),
        draw(entity, salt("y"), 5),
        draw(entity, salt("x"), 6),
    ]
    assert all((base != other).all() for other in others)


def test_counters_as_numbers_and_as_arrays_agree() -> None:
    entity = keys(7, "meter", np.arange(10))
    table = draw(entity, salt("x"), np.arange(-3, 4)[:, None])
    assert all((table[row] == draw(entity, salt("x"), counter)).all() for row, counter in enumerate(range(-3, 4)))


def test_uniform_and_normal_numbers_have_their_moments() -> None:
    bits = draw(keys(1, "meter", np.arange(200_000)), salt("x"), 0)
    assert abs(uniform(bits).mean() - 0.5) < 0.003
    assert abs(uniform(bits).var() - 1 / 12) < 0.001
    for number in range(4):
        assert abs(normal(lane(bits, number)).mean()) < 0.01
        assert abs(normal(lane(bits, number)).std() - 1) < 0.01
        assert 0 <= fraction(lane(bits, number)).min() < fraction(lane(bits, number)).max() < 1


def test_lanes_and_counters_are_independent() -> None:
    entity = keys(1, "meter", np.arange(100_000))
    first, second = draw(entity, salt("x"), 0), draw(entity, salt("x"), 1)
    pairs = [(lane(first, 0), lane(first, 1)), (lane(first, 2), lane(first, 3)), (lane(first, 0), lane(second, 0))]
    for left, right in pairs:
        assert abs(np.corrcoef(normal(left), normal(right))[0, 1]) < 0.015


def test_a_lognormal_table_has_median_one() -> None:
    bits = draw(keys(1, "meter", np.arange(50_000)), salt("x"), 0)
    assert abs(np.median(lookup(lane(bits, 0), lognormal_table(0.5))) - 1) < 0.02


def test_smooth_noise_is_a_function_of_position() -> None:
    entity = keys(1, "region", np.arange(3))
    whole = smooth(entity, salt("x"), np.linspace(0, 50, 501))
    assert whole.shape == (501, 3)
    np.testing.assert_array_equal(whole[100:200], smooth(entity, salt("x"), np.linspace(0, 50, 501)[100:200]))
    assert np.abs(np.diff(whole, axis=0)).max() < 1.2


def test_the_mixer_is_the_same_on_every_machine() -> None:
    assert draw(np.array([0], dtype=np.uint64), 0, 1)[0] == 0xE220A8397B1DCDAF  # SplitMix64, first output of seed 0
    assert salt("meter", 7) == salt("meter", "7")
