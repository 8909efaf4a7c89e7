"""What the solver ``als`` takes; all of it is ours.

The label of a row is the weight of its pair, above 0; a pair of weight 0 was seen and is no
positive: nothing is learned from it, and no list that is judged holds it. Weights of a repeated
pair add up.

- ``num_factors`` may be left out: 32, 64 or 128 are then chosen.
- ``sweeps`` over all users and all items: as many as are given; else six, or fewer where the lists
  of held out pairs are clearly better before the end.
- ``unobserved_weight``, ``regularization``, ``regularization_exponent`` (default 1): the loss, as
  ``recommender.model.objective`` has it. The first two are chosen when they are left out.
- ``init_sigma``: length of the items' vectors before the first sweep (default 0.3).
- ``search`` (default true): choose what is left out by lists for users of whom a share of the likes
  was held out. Without it, what is left out takes a value that suits most catalogs.
- ``search_share`` (default 0.5): of the arithmetic of a large job, what the search may take; it
  then looks at a sample of the users. Catalogs of up to 300,000 pairs are searched whole.
- ``validation_fraction`` (default 0.2): of each of these users' likes, what is held out, for the
  search and for the learning curve. The model learns from all pairs in the end.
- ``hit_threshold``: labels from here on are likes, which lists are to find (default 0: all above).
- ``feature_strength`` (default 0: side features are not looked at): users and items are drawn to a
  linear map of their features, which is held down as if by so many further users or items.
"""

from recommender.hyperparameters.kinds import Choice, Integer, Kind, Number

NUM_FACTORS = "64"
"""Where they are neither given nor chosen."""
MOST_SWEEPS = 6
"""Where it is not given how many."""

TABLE: tuple[Kind, ...] = (
    Integer("sweeps", None, 1, 10_000),
    Number("unobserved_weight", None, 0, 1e6, above_low=True),
    Number("regularization", None, 0, 1e6, above_low=True),
    Number("regularization_exponent", "1", 0, 2),
    Number("init_sigma", "0.3", 0, 512, above_low=True),
    Choice("search", "true", ("false", "true")),
    Number("search_share", "0.5", 0, 0.9, above_low=True),
    Number("validation_fraction", "0.2", 0, 0.5),
    Number("hit_threshold", "0", 0, 1e9),
    Number("feature_strength", "0", 0, 1e9),
)
