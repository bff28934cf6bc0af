"""What figures compare has the same colors and marks in every figure."""

from matplotlib.colors import to_rgb

from analysis.figures.palette import palette
from bench.spec.catalog import names, read

LIGHT = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in the lightness of a color."""


def lightness(color: str) -> float:
    return sum(weight * part for weight, part in zip(LIGHT, to_rgb(color), strict=True))


def test_zero_is_black_and_an_initializer_the_same_everywhere() -> None:
    few, many = palette(["zeros", "he_normal"]), palette(["lecun_normal", "glorot_normal", "he_normal", "zeros"])
    assert few["zeros"] == many["zeros"] == ("#000000", "o")
    assert few["he_normal"] == many["he_normal"]
    assert palette(["relu"])["relu"] == palette(["tanh", "relu"])["relu"]


def test_what_the_registry_does_not_know_takes_none_of_its_colors() -> None:
    found = palette(["he_normal", "something", "something else"])
    assert len({color for color, _ in found.values()}) == 3


def test_sizes_of_one_law_are_darker_the_larger_they_are() -> None:
    normal, noise = [f"N(0, {size})" for size in ("0.01²", "0.1²", "1", "10²")], [f"constant + 1e-{power}" for power in (12, 8, 2)]
    for sizes in (normal, noise):
        lights = [lightness(color) for color, _ in palette(sizes).values()]
        assert lights == sorted(lights, reverse=True) and len(set(lights)) == len(lights)
    lights = [lightness(color) for color, _ in palette([str(number) for number in range(12)]).values()]
    assert lights == sorted(lights)


def test_no_two_values_of_a_committed_figure_look_the_same() -> None:
    for name in names():
        experiment = read(name)
        for figure in experiment.figure or ():
            if figure.color in experiment.axes:
                found = palette(list(experiment.axes[figure.color])).values()
                assert len(set(found)) == len(found), (name, figure.name)
