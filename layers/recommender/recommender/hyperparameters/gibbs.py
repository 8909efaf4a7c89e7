"""What the solver ``gibbs`` takes; all of it is ours.

- ``draws`` samples of ``draw_factors`` factors each (at most ``num_factors``) are taken after
  ``burn_in`` that are dropped, and one machine of ``num_factors`` is made of them.
- ``chains`` (default 1) share the draws among so many threads, each after a ``burn_in`` of its own.
- ``field_sizes``, as in ``943,1682,21,19``: the number of columns of each field, in their order.
  The first two are users and items, the others groups of features, and each has a prior of its
  own. By default users and items are found from the rows.
- ``implicit_features``: describe users by the items that they rated and items by their raters, from
  the train channel alone.
"""

from recommender.hyperparameters.kinds import Choice, Integer, Kind, Sizes

TABLE: tuple[Kind, ...] = (
    Integer("draws", "200", 1, 10_000),
    Integer("burn_in", "50", 0, 10_000),
    Integer("chains", "1", 1, 64),
    Integer("draw_factors", "8", 1, 64),
    Sizes("field_sizes", None),
    Choice("implicit_features", "false", ("false", "true")),
)
