"""How this image compiles its inner loops.

Importing this module imports the compiler (about half a second): `fit` does so on first use.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile on the first call, or take an earlier process's result from the cache folder.

    One thread and no reassociation of sums: the same seed gives the same bytes.
    """
    compile_it = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")
    return cast(_Function, compile_it(function))
