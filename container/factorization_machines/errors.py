"""What can be wrong with a job or its container, as leaves of the product's error tree.

::

    recommender.errors.InputError
    ├── InvalidChannelError           the files of a channel cannot be trained on
    ├── UnsupportedJobError           the job asks for something this image does not do
    └── DivergedError                 the optimiser left the finite numbers
    recommender.errors.ConfigurationError
    └── AccountError                  the account that is to do the work cannot
"""

from recommender.errors import ConfigurationError, InputError


class InvalidChannelError(InputError):
    """A channel's files are absent, damaged, or hold rows that cannot be trained on."""

    def __init__(self, channel: str, where: str, reason: str) -> None:
        place = f"channel {channel}, {where}" if where else f"channel {channel}"
        super().__init__(f"{place}: {reason}")
        self.channel, self.where, self.reason = channel, where, reason


class UnsupportedJobError(InputError):
    """The job is configured for something that this image does not do."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")
        self.what, self.reason = what, reason


class DivergedError(InputError):
    """Training left the finite numbers; only other hyperparameters or other data can help."""

    def __init__(self, epoch: int, reason: str) -> None:
        super().__init__(
            f"training diverged in epoch {epoch}: {reason}; use smaller learning rates or initial "
            "values, set clip_gradient, or scale the features and labels"
        )
        self.epoch, self.reason = epoch, reason


class AccountError(ConfigurationError):
    """The account that is to do the work in place of root does not exist, or cannot do it."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"MATINEE_RUN_AS is {name[:40]!r}: {reason}; name another account, or none (an empty "
            "value) to work as whoever started the container"
        )
        self.name, self.reason = name, reason
