"""Edges and box counts on regions of known dimension."""

import numpy as np
import pytest

from analysis.geometry.boundary import box_counts, dimension, edges


def test_an_edge_is_where_both_kinds_meet() -> None:
    inside = np.zeros((4, 4), bool)
    inside[:2] = True
    np.testing.assert_array_equal(edges(inside), [[False] * 3, [True] * 3, [False] * 3])


def test_box_counts_of_a_point_and_of_everything() -> None:
    point = np.zeros((16, 16), bool)
    point[5, 6] = True
    sizes, counts = box_counts(point)
    np.testing.assert_array_equal(sizes, [1, 2, 4])
    np.testing.assert_array_equal(counts, [1, 1, 1])
    np.testing.assert_array_equal(box_counts(np.ones((16, 16), bool))[1], [256, 64, 16])


def test_a_triangle_of_sierpinski_has_its_dimension() -> None:
    i, j = np.indices((128, 128))
    sizes, counts = box_counts(i & j == 0)
    np.testing.assert_allclose(np.diff(np.log2(counts)), -np.log2(3), rtol=1e-12)


def test_a_straight_edge_has_dimension_one_and_noise_almost_two() -> None:
    i, j = np.indices((128, 128))
    line = dimension(i > 40)
    assert line is not None and line.estimate == pytest.approx(1, abs=0.05)
    noise = dimension(np.random.default_rng(0).random((128, 128)) < 0.5)
    assert noise is not None and noise.estimate > 1.9


def test_no_edge_or_too_few_scales_have_no_dimension() -> None:
    assert dimension(np.ones((64, 64), bool)) is None
    assert dimension(np.arange(64).reshape(8, 8) % 3 == 0) is None
