"""The image's entry point: ``python -m factorization_machines train`` or ``serve``."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Do what SageMaker's one argument says.

    Returns:
        The exit status; 2 for anything but ``train`` or ``serve``.
    """
    # Each side is imported alone: serving must not pay for training, nor the other way round.
    if list(arguments) == ["train"]:
        from .process.stopping import end_at_sigterm

        end_at_sigterm()  # before the imports of training, which take a second
        from .job.train import main as train

        return train()
    if list(arguments) == ["serve"]:
        from .serving.serve import main as serve

        return serve()
    sys.stderr.write("usage: python -m factorization_machines train|serve\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
