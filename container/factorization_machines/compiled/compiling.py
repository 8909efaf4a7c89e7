"""How this image compiles its inner loops.

Importing this module imports the compiler (about half a second): `fit` does so on first use.
"""

import sys
from collections.abc import Callable
from typing import TypeVar, cast

from factorization_machines.compiled.cache import choose_cache_folder

choose_cache_folder()

# The compiler asks for scipy's linear algebra, which no loop here uses: where scipy is installed,
# that is half of the time from the start to the first epoch.
_UNWANTED = "scipy.linalg.cython_blas"
_hidden = _UNWANTED not in sys.modules
if _hidden:
    sys.modules[_UNWANTED] = None  # type: ignore[assignment]

import numba  # noqa: E402 - the compiler reads the folder's name as it is imported
import numba.np.arraymath  # noqa: E402

if _hidden:
    del sys.modules[_UNWANTED]

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile on the first call, or take an earlier process's result from the cache folder.

    One thread and no reassociation of sums: the same seed gives the same bytes.
    """
    compile_it = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy")
    return cast(_Function, compile_it(function))
