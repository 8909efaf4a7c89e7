"""Hyperparameters of the benchmark's fits: what the product trains with by default."""

ADAM = {
    "num_factors": "64",
    "epochs": "48",
    "mini_batch_size": "300",
    "rescale_grad": "1",
    "bias_lr": "0.003",
    "bias_wd": "0.0001",
    "linear_lr": "0.002",
    "linear_wd": "0.001",
    "factors_lr": "0.0005",
    "factors_wd": "0.032",
    "factors_init_sigma": "0.02",
}
# Chains, draws, their factors and the burn-in are the choice of `bench.train.folds`.
GIBBS = {
    "solver": "gibbs",
    "num_factors": "16",
    "draw_factors": "12",
    "draws": "300",
    "burn_in": "30",
    "chains": "2",
}
RICH = {**GIBBS, "implicit_features": "true"}
STARS = {**RICH, "like_threshold": "4"}
