"""Ask the processor for memory that compiled code is about to read.

Records of features lie where chance put them, so no processor foresees which comes next; but the
rows of a batch are known. Asked for a few rows ahead, a record is there when its turn comes.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from recommender.features import Floats

from factorization_machines.compiled.compiling import compiled

_FLOATS_A_LINE = 16
_READ, _KEEP, _DATA = 0, 3, 1  # LLVM's own numbers: for reading, in the nearest cache, data


def _emit(_context: Any, _array: Any, _place: Any) -> tuple[Any, Callable[..., Any]]:
    """Describe a call of LLVM's prefetch instruction to the compiler."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        bytes_of = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), bytes_of)
        name = "llvm.prefetch.p0i8"
        kind = ir.FunctionType(ir.VoidType(), [bytes_of, number, number, number])
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        builder.call(function, [address, number(_READ), number(_KEEP), number(_DATA)])
        return context.get_dummy_value()

    return types.void(_array, _place), generate


# Of an array whose numbers lie side by side, and the place of one of them.
_prefetch = cast(Callable[[Floats, int], None], intrinsic(_emit))


@compiled
def prefetch_row(table: Floats, row: int, width: int) -> None:
    """Ask for the first ``width`` numbers of a row; nothing changes but the time that it takes.

    Args:
        table: ``(n, w)``, contiguous.
        row: its row, which must be there.
        width: how much of the row.
    """
    first = row * table.shape[1]
    for place in range(first, first + width, _FLOATS_A_LINE):
        _prefetch(table, place)
