"""Pictures of why the weights of a network must not all start at zero: four training runs step by step, and a loss surface.

They illustrate the claims C7, C8 and C9 with one seed, and stand on the answer page of a folder that judges C7.
"""

from collections.abc import Collection
from pathlib import Path

from analysis.figures import boundaries, saddle, weights
from analysis.figures.four_starts import experiment, four_starts, setting, start_name
from analysis.report.animation import save_animation
from analysis.report.citation import source_of_experiment
from analysis.report.drawing import FORMATS, save
from analysis.report.result import Result

GENERAL = {"C7": "zero", "C8": "a constant", "C9": "noise"}
"""Claims that the pictures illustrate, by the start that each is about."""


def is_illustrated(results: list[Result]) -> bool:
    """Whether one of these reports judges a network whose weights all start at zero."""
    return any(verdict.family == "C7" for result in results for verdict in result.verdicts)


def write_pictures(folder: Path, formats: Collection[str] = FORMATS) -> None:
    """Train the four runs and write the pictures; the PNG file of the weights moves, its other files show the last step."""
    starts, source = four_starts(), source_of_experiment(experiment())
    moving = weights.Weights(starts)
    save(moving.drawing, folder / "weights", [kind for kind in formats if kind != "png"], title=weights.title(starts), source=source)
    if "png" in formats:
        save_animation(moving.drawing, moving.show, weights.FRAMES, folder / "weights.png", source)
    save(boundaries.boundaries(starts), folder / "boundaries", formats, title=boundaries.title(starts), source=source)
    save(saddle.saddle(), folder / "saddle", formats, title=saddle.title(), source=source)


def captions(judged: Collection[str]) -> list[str]:
    """The pictures in Markdown, each with its caption; `judged` names the claims of which the page has a verdict to link to."""
    trained = experiment()
    one = f"This is one seed, an illustration. How often it is so is judged for {_links(judged)}."
    runs = f"{setting()}. Starts: {_names()}, with biases at zero (seed {trained.seeds.first})"
    return [
        _shown(
            "weights",
            "Animation: the incoming weights of the hidden units in training; from zero and from a constant all units stay on one "
            "point, from a constant with noise and from random weights they come apart",
            f"Incoming weights of the hidden units, step by step. They belong to a {runs}. Units that start equal move as one. {one}",
            "The vector files show the last step",
        ),
        _shown(
            "boundaries",
            "Decision boundaries after training: none from zero, a straight line from a constant, curves from the other two starts",
            "Decision boundaries of the same four networks after training, with the training examples. Equal units draw one straight "
            f"line at most. {one}",
        ),
        _shown(
            "saddle",
            "Loss surface over two weights: a saddle at zero, on the line of equal units, with two mirrored optima beside the line",
            f"Left: the loss over both weights of f(x) = tanh(w1 x + {saddle.BIAS:g}) + tanh(w2 x + {saddle.BIAS:g}). It is the mean "
            f"squared error on {len(saddle.INPUTS)} inputs from -1 to 1 against the same network with "
            f"w = ({saddle.TEACHER[0]:g}, {saddle.TEACHER[1]:g}). Gradient descent takes {saddle.STEPS:,} steps at learning rate "
            f"{saddle.RATE:g} from each of five starts. Right: the same loss along two lines through zero. From equal weights it never "
            "leaves the line of equal units, on which zero is the best point. From unequal ones it finds an optimum. This is one example. "
            f"Other networks are judged for {_links(judged)}.",
        ),
    ]


def _names() -> str:
    return ", ".join(map(start_name, experiment().cells))


def _links(judged: Collection[str]) -> str:
    """The claims that the pictures illustrate, each with the start that it is about."""
    return ", ".join(f"{start} ([{claim}](#{claim.lower()}))" for claim, start in GENERAL.items() if claim in judged)


def _shown(name: str, alternative: str, caption: str, note: str = "") -> str:
    files = f"Vector files: [SVG](figures/{name}.svg), [PDF](figures/{name}.pdf)"
    return f"![{alternative}](figures/{name}.png)\n\n*{caption}*\n{'. '.join(filter(None, [files, note]))}."
