"""Figures that move, as animated PNG files."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from analysis.report.drawing import figure_style
from bench.runs.files import write_whole

DPI, COLORS = 110, 256
"""Resolution of an animation, and the largest number of its colors."""
FRAME, LAST = 140, 2500
"""How long a frame is shown, and the last one, in milliseconds."""
Pixels = np.ndarray
"""Pixels (row, column), each with its color as one number."""


def save_animation(drawing: Figure, show: Callable[[int], None], frames: int, path: Path, source: Mapping[str, str]) -> None:
    """Write the frames of a figure that has been laid out as an animated PNG file that loops; `show` changes the figure to a frame.

    A viewer that shows one picture shows the last frame. All frames have its most frequent colors, and the same frames give the same file.
    `source`: what the file states of it.
    """
    with figure_style():
        canvas = FigureCanvasAgg(drawing)
        drawing.set_dpi(DPI)
        pictures = [_picture(canvas, show, frame) for frame in range(frames)]
    colors = _frequent(pictures[-1])
    *moving, last = [_reduced(picture, colors) for picture in pictures]
    content = io.BytesIO()
    shown = [FRAME] * len(moving) + [LAST]
    stated = PngInfo()
    for key, text in source.items():
        stated.add_text(key, text)
    settings: dict[str, Any] = {"duration": shown, "loop": 0, "optimize": True, "pnginfo": stated}
    last.save(content, "PNG", save_all=True, default_image=True, append_images=[*moving, last], **settings)
    write_whole(path, content.getvalue())


def _picture(canvas: FigureCanvasAgg, show: Callable[[int], None], frame: int) -> Pixels:
    """Return the pixels of a frame."""
    show(frame)
    canvas.draw()
    red, green, blue = np.moveaxis(np.asarray(canvas.buffer_rgba())[:, :, :3].astype(np.uint32), 2, 0)
    return red << 16 | green << 8 | blue


def _channels(colors: np.ndarray) -> np.ndarray:
    """Return red, green and blue (color, 3) of colors that are numbers."""
    return np.stack([colors >> 16, colors >> 8, colors], axis=1).astype(np.uint8)


def _frequent(picture: Pixels) -> np.ndarray:
    """Return red, green and blue (color, 3) of the most frequent colors of a picture."""
    found, counts = np.unique(picture, return_counts=True)
    return _channels(found[np.argsort(-counts, kind="stable")[:COLORS]])


def _reduced(picture: Pixels, colors: np.ndarray) -> Image.Image:
    """Return a picture in which each color is replaced by the nearest one of `colors` (color, 3), its palette."""
    found, places = np.unique(picture, return_inverse=True)
    distances = np.sum((_channels(found)[:, None].astype(int) - colors.astype(int)) ** 2, axis=2)
    reduced = Image.fromarray(np.argmin(distances, axis=1)[places].reshape(picture.shape).astype(np.uint8)).convert("P")
    reduced.putpalette(colors.tobytes())
    return reduced
