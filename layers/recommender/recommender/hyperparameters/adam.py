"""What the solver ``adam`` takes: the built-in algorithm's names and defaults, and a few more.

Where the built-in's documentation leaves a meaning open, this is ours:

- ``*_wd`` is an L2 penalty *per occurrence*: each row adds ``wd / 2 * w**2`` to the loss for each
  weight of each feature that the row holds, whatever the feature's value. A feature that is seen
  often is therefore pulled as strongly, relative to its data, as one that is seen once, and
  a feature that no row holds is not pulled at all. The bias occurs once in every row.
- The gradient of a mini-batch is the *sum* over its rows, penalties included. It is multiplied by
  ``rescale_grad`` (default 1), then each number of it is clipped to ``[-clip_gradient,
  clip_gradient]`` (default: not clipped), and then goes to Adam.
- ``eps`` (default 1e-8) is Adam's, added to the square root of the second moment.

Our own, none of which changes anything unless it is given:

- ``learning_rate_decay`` multiplies all three learning rates after each epoch.
- ``averaging_decay``: a running mean of the parameters at the ends of epochs is handed over, in
  which an epoch weighs this much less than the next one (default 0: the last epoch alone).
- ``holdout_fraction``: this share of the train channel's rows is kept back (default 0), and the
  epoch that did best on them is handed over; training stops once ``patience`` epochs were no
  better.

Source:
    SageMaker developer guide, "Factorization Machines Hyperparameters".
"""

from recommender.hyperparameters.kinds import Choice, Integer, Kind, Number

INIT_METHODS = ("normal", "uniform", "constant")
TERMS = ("bias", "linear", "factors")


def _term(term: str, rate: str, decay: str, sigma: str) -> tuple[Kind, ...]:
    # 512 is the end of the documented range. Zero is allowed below it: "non-negative float".
    return (
        Number(f"{term}_lr", rate, 0, 512),
        Number(f"{term}_wd", decay, 0, 512),
        Choice(f"{term}_init_method", "normal", INIT_METHODS),
        Number(f"{term}_init_sigma", sigma, 0, 512),
        Number(f"{term}_init_scale", None, 0, 512),
        Number(f"{term}_init_value", None, -512, 512),
    )


TABLE: tuple[Kind, ...] = (
    Integer("epochs", "1", 1, 10_000),
    Integer("mini_batch_size", "1000", 1, 1_000_000),
    *_term("bias", rate="0.1", decay="0.01", sigma="0.01"),
    *_term("linear", rate="0.001", decay="0.001", sigma="0.01"),
    *_term("factors", rate="0.0001", decay="0.00001", sigma="0.001"),
    Number("clip_gradient", None, 0, 1e9, above_low=True),
    Number("eps", "1e-8", 0, 1, above_low=True),
    Number("rescale_grad", "1", 0, 1e9, above_low=True),
    Number("learning_rate_decay", "1", 0, 1, above_low=True),
    Number("averaging_decay", "0", 0, 0.999),
    Number("holdout_fraction", "0", 0, 0.5),
    Integer("patience", "3", 1, 10_000),
)
