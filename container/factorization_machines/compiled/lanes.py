"""Sixteen float32 numbers that compiled code works on at once.

The compiler makes such work of an inner loop by itself only where it can tell that what is written
is not what is read next; of rows of a table that are chosen by their number it cannot. In lanes,
sums of products take a fraction of the time. Each lane sees the same operations in the same order
on every processor, so the bytes are the same wherever multiply-and-add is one instruction.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model
from recommender.features import Float32s

LANES = 16

_NUMBERS = ir.VectorType(ir.FloatType(), LANES)
_WHOLE = ir.IntType(32)
_ALIGNMENT = 4  # bytes: lanes may begin at any number of a table
_Emitted = tuple[Any, Callable[..., Any]]


class Lanes:
    """Sixteen numbers in registers, as annotations call them."""


class _LanesType(types.Type):
    """The same, as the compiler calls them."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


_lanes = _LanesType()


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _NUMBERS)  # type: ignore[no-untyped-call]


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), _NUMBERS.as_pointer())


def _emit_load(_context: Any, table: Any, place: Any) -> _Emitted:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature, arguments), align=_ALIGNMENT)

    return _lanes(table, place), generate


def _emit_store(_context: Any, table: Any, place: Any, numbers: Any) -> _Emitted:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        builder.store(arguments[2], address, align=_ALIGNMENT)
        return context.get_dummy_value()

    return types.void(table, place, numbers), generate


def _emit_splat(_context: Any, _number: Any) -> _Emitted:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _sixteen_times(builder, arguments[0])

    return _lanes(types.float32), generate


def _emit_spread(_context: Any, table: Any, place: Any) -> _Emitted:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        number = builder.load(builder.gep(array.data, [arguments[1]]))
        return _sixteen_times(builder, number)

    return _lanes(table, place), generate


def _sixteen_times(builder: Any, number: Any) -> Any:
    undefined = ir.Constant(_NUMBERS, ir.Undefined)
    one = builder.insert_element(undefined, number, _WHOLE(0))
    everywhere = ir.Constant(ir.VectorType(_WHOLE, LANES), [0] * LANES)
    return builder.shuffle_vector(one, undefined, everywhere)


def _emit_times(_context: Any, left: Any, right: Any) -> _Emitted:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return _lanes(left, right), generate


def _emit_times_plus(_context: Any, left: Any, right: Any, added: Any) -> _Emitted:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_NUMBERS, [_NUMBERS] * 3)
        name = f"llvm.fmuladd.v{LANES}f32"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.call(function, arguments)

    return _lanes(left, right, added), generate


def _emit_total(_context: Any, numbers: Any) -> _Emitted:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (left,) = arguments
        size = LANES
        while size > 1:
            size //= 2
            undefined = ir.Constant(left.type, ir.Undefined)
            lower, upper = (
                ir.Constant(ir.VectorType(_WHOLE, size), list(range(first, first + size)))
                for first in (0, size)
            )
            halves = (builder.shuffle_vector(left, undefined, half) for half in (lower, upper))
            left = builder.fadd(*halves)
        return builder.extract_element(left, _WHOLE(0))

    return types.float32(numbers), generate


load = cast(Callable[[Float32s, int], Lanes], intrinsic(_emit_load))
"""Sixteen numbers of a contiguous table, from a place on that counts its numbers from the first."""
store = cast(Callable[[Float32s, int, Lanes], None], intrinsic(_emit_store))
"""Write them there."""
splat = cast(Callable[[np.float32], Lanes], intrinsic(_emit_splat))
"""A float32 sixteen times."""
spread = cast(Callable[[Float32s, int], Lanes], intrinsic(_emit_spread))
"""The number at that place of a contiguous table, sixteen times."""
times = cast(Callable[[Lanes, Lanes], Lanes], intrinsic(_emit_times))
"""Products, lane by lane."""
times_plus = cast(Callable[[Lanes, Lanes, Lanes], Lanes], intrinsic(_emit_times_plus))
"""``left * right + added``, rounded once where the processor can."""
total = cast(Callable[[Lanes], np.float32], intrinsic(_emit_total))
"""Sum of the sixteen, a float32: halves upon halves."""
