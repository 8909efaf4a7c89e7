"""Types of arrays that compiled loops take beside those of the domain."""

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
