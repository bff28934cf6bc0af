"""The axes of a value that count the units of a layer, followed through the operations of a traced program.

A weight's axes are all its own at first. Where it meets the data, those over which nothing is summed count units: the others of the result
count examples, places or time steps. Where an operation mixes the two, nothing is known.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

Shape = tuple[int, ...]
Gates = tuple[tuple[frozenset[int], int], ...]
"""Parts of an axis along which weights were joined, such as the gates of a recurrent layer: places of the parameters, and the size."""
Units = dict[int, Gates | None]
"""The axes that count units, each with its gates; None where the gates are not known."""

MOVES = {
    "reshape", "transpose", "broadcast_in_dim", "convert_element_type", "squeeze", "slice", "dynamic_slice", "split", "concatenate", "rev",
    "copy", "copy_p", "expand_dims", "reduce_precision", "optimization_barrier", "pad",
}  # fmt: skip
"""Operations that only move, select or convert numbers."""


def whole(shape: Shape, parameters: frozenset[int]) -> Units:
    """Return the units of a value all of whose axes are those of these parameters."""
    return {axis: ((parameters, size),) for axis, size in enumerate(shape)}


def summed(found: Sequence[Units | None]) -> Units | None:
    """Return the units of a sum or product of signals; None unless the same axes count units in all of them."""
    known = [units for units in found if units is not None]
    if not known or len(known) < len(found) or any(units.keys() != known[0].keys() for units in known):
        return None
    return {axis: _merged([units[axis] for units in known]) for axis in known[0]}


def mixed(found: Sequence[Units | None], shapes: Sequence[Shape], shape: Shape) -> Units | None:
    """Return the units of a weight of this shape that is computed from others number by number, some of them repeated along axes."""
    known = [units for units in found if units is not None]
    if len(known) < len(found):
        return None
    own = [(axis, units[axis]) for units, old in zip(known, shapes, strict=True) for axis in units if old[axis] == shape[axis]]
    return {axis: _merged([gates for place, gates in own if place == axis]) for axis in {place for place, _ in own}}


def at_step(units: Units | None, data: bool) -> Units | None:
    """Return the units of one element along the first axis; None for data whose first axis counts units."""
    if units is None or data and 0 in units:
        return None
    return {axis - 1: gates for axis, gates in units.items() if axis}


def over_steps(found: Sequence[Units | None]) -> Units | None:
    """Return the units of signals that are stacked along a new first axis."""
    units = summed(found)
    return None if units is None else {axis + 1: gates for axis, gates in units.items()}


def moved(equation: Any, found: Sequence[Units | None], shapes: Sequence[Shape], shape: Shape) -> Units | None:
    """Return the units of the result of a move, of this shape, from those of its operands; None if they are not known."""
    name, parameters = equation.primitive.name, equation.params
    if name == "concatenate":
        return _joined(found, parameters["dimension"])
    units, old = found[0], shapes[0]
    if units is None:
        return None
    if name == "reshape":
        return None if parameters["dimensions"] is not None or 0 in old else _reshaped(units, old, shape)
    if name == "transpose":
        new = {axis: parameters["permutation"].index(axis) for axis in units}
    elif name == "broadcast_in_dim":
        new = {axis: parameters["broadcast_dimensions"][axis] for axis in units}
        new = {axis: place for axis, place in new.items() if old[axis] == shape[place]}
    elif name == "squeeze":
        left = [axis for axis in range(len(old)) if axis not in parameters["dimensions"]]
        new = {axis: left.index(axis) for axis in units if axis in left}
    else:
        new = {axis: axis for axis in units}
    return {int(place): _resized(units[axis], old[axis], shape[place], name == "rev") for axis, place in new.items()}


def met(equation: Any, which: int, units: Units | None, shape: Shape) -> Units | None:
    """Return the units of the result of an operation in which the operand `which`, a weight of this shape, meets the data."""
    name, parameters = equation.primitive.name, equation.params
    if units is None:
        return None
    if name == "dot_general":
        contracted, batched = parameters["dimension_numbers"]
        own, batch = contracted[which], batched[which]
        free = [axis for axis in range(len(shape)) if axis not in own and axis not in batch]
        data = equation.invars[1 - which].aval.ndim - len(own) - len(batch)
        places = {axis: len(batch) + number + which * data for number, axis in enumerate(free)}
        places |= {axis: number for number, axis in enumerate(batch)}
    elif name == "conv_general_dilated" and which == 1:
        numbers = parameters["dimension_numbers"]
        places = {numbers.rhs_spec[0]: numbers.out_spec[1]}
    elif name == "gather" and which == 0:
        numbers, sizes = parameters["dimension_numbers"], parameters["slice_sizes"]
        hidden = (*numbers.collapsed_slice_dims, *numbers.operand_batching_dims)
        kept = [axis for axis in range(len(shape)) if axis not in hidden]
        if any(sizes[axis] not in (1, shape[axis]) for axis in kept):
            return None
        places = {axis: place for axis, place in zip(kept, numbers.offset_dims, strict=True) if sizes[axis] == shape[axis]}
    else:
        return None
    return {int(place): units[axis] for axis, place in places.items() if axis in units}


def _merged(found: Sequence[Gates | None]) -> Gates | None:
    """Return the gates of an axis of values that are computed together; None unless they have gates of the same sizes."""
    known = [gates for gates in found if gates is not None]
    if len(known) < len(found):
        return None
    # A constant has no gates of its own.
    known = [gates for gates in known if any(owners for owners, _ in gates)] or known[:1]
    if len({tuple(size for _, size in gates) for gates in known}) != 1:
        return None
    return tuple((frozenset().union(*(owners for owners, _ in same)), same[0][1]) for same in zip(*known, strict=True))


def _joined(found: Sequence[Units | None], dimension: int) -> Units | None:
    known = [units for units in found if units is not None]
    if len(known) < len(found) or any(units.keys() != known[0].keys() for units in known):
        return None
    new: Units = {}
    for axis in known[0]:
        gates = [units[axis] for units in known]
        parts = [part for one in gates if one is not None for part in one]
        new[axis] = _merged(gates) if axis != dimension else None if None in gates else tuple(parts)
    return new


def _reshaped(units: Units, old: Shape, new: Shape) -> Units | None:
    result: Units = {}
    for before, after in _blocks(old, new):
        own = [axis for axis in before if axis in units]
        if not own:
            continue
        if len(own) < len(before):
            return None
        if len(before) == len(after) == 1:
            result[after[0]] = units[before[0]]
            continue
        gates = [units[axis] for axis in own]
        owners = frozenset().union(*(one[0][0] for one in gates if one is not None))
        single = all(one is not None and len(one) == 1 for one in gates)
        result |= {axis: ((owners, new[axis]),) if single else None for axis in after}
    return result


def _blocks(old: Shape, new: Shape) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the smallest groups of axes that become one another in a reshape, without those of size 1."""
    olds, news = ([axis for axis, size in enumerate(shape) if size > 1] for shape in (old, new))
    while olds:
        before, after = [olds.pop(0)], [news.pop(0)]
        while (sizes := (math.prod(old[axis] for axis in before), math.prod(new[axis] for axis in after)))[0] != sizes[1]:
            if sizes[0] < sizes[1]:
                before.append(olds.pop(0))
            else:
                after.append(news.pop(0))
        yield before, after


def _resized(gates: Gates | None, old: int, new: int, reverse: bool) -> Gates | None:
    """Return the gates of an axis of which a part is taken, or whose order is reversed."""
    if gates is None or old == new and not reverse:
        return gates
    return ((gates[0][0], new),) if len(gates) == 1 else None
