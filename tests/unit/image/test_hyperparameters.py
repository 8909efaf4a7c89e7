"""Hyperparameters are taken as the built-in algorithm takes them, and refused all at once."""

import pytest
from recommender.errors import InvalidHyperparametersError
from recommender.hyperparameters.parsing import parse_hyperparameters
from recommender.hyperparameters.settings import Ranking

REQUIRED = {"feature_dim": "2625", "num_factors": "64", "predictor_type": "binary_classifier"}

# SageMaker developer guide, "Factorization Machines Hyperparameters", defaults column.
DOCUMENTED_DEFAULTS = {
    "epochs": "1",
    "mini_batch_size": "1000",
    "bias_lr": "0.1",
    "bias_wd": "0.01",
    "bias_init_method": "normal",
    "bias_init_sigma": "0.01",
    "linear_lr": "0.001",
    "linear_wd": "0.001",
    "linear_init_method": "normal",
    "linear_init_sigma": "0.01",
    "factors_lr": "0.0001",
    "factors_wd": "0.00001",
    "factors_init_method": "normal",
    "factors_init_sigma": "0.001",
}
DOCUMENTED_WITHOUT_DEFAULT = [
    "bias_init_scale",
    "bias_init_value",
    "linear_init_scale",
    "linear_init_value",
    "factors_init_scale",
    "factors_init_value",
    "clip_gradient",
    "eps",
    "rescale_grad",
]


def problems_of(raw):
    with pytest.raises(InvalidHyperparametersError) as caught:
        parse_hyperparameters(raw)
    return caught.value.problems


def test_defaults_are_the_documented_ones():
    filled = parse_hyperparameters(REQUIRED).as_strings()

    assert {name: filled[name] for name in DOCUMENTED_DEFAULTS} == DOCUMENTED_DEFAULTS


def test_every_documented_name_is_accepted():
    raw = {**REQUIRED, **DOCUMENTED_DEFAULTS, **dict.fromkeys(DOCUMENTED_WITHOUT_DEFAULT, "0.5")}

    assert parse_hyperparameters(raw).as_strings().items() >= raw.items()


def test_values_arrive_where_they_are_used():
    settings = parse_hyperparameters(
        {
            **REQUIRED,
            "linear_lr": "0.25",
            "factors_wd": "1e-3",
            "bias_init_method": "constant",
            "bias_init_value": "-2",
            "clip_gradient": "5",
            "learning_rate_decay": ".95",
        }
    )

    assert settings.linear.learning_rate == 0.25
    assert settings.factors.weight_decay == 0.001
    assert (settings.bias.init_method, settings.bias.init_value) == ("constant", -2.0)
    assert settings.clip_gradient == 5.0
    assert settings.learning_rate_decay == 0.95


def test_plain_json_numbers_are_taken_as_their_strings():
    settings = parse_hyperparameters({**REQUIRED, "epochs": 3, "linear_lr": 0.5})

    assert (settings.epochs, settings.linear.learning_rate) == (3, 0.5)


def test_the_name_that_the_tuner_adds_is_ignored():
    settings = parse_hyperparameters({**REQUIRED, "_tuning_objective_metric": "test:binary_f_beta"})

    assert "_tuning_objective_metric" not in settings.as_strings()


def test_all_problems_are_told_at_once():
    problems = problems_of({"feature_dim": "0", "epoch": "3", "linear_lr": "fast"})

    assert [problem.split()[0] for problem in problems] == [
        "epoch",
        "feature_dim",
        "linear_lr",
        "num_factors",
        "predictor_type",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_dim", "2625.0"),
        ("feature_dim", "1_000"),
        ("feature_dim", "-1"),
        ("num_factors", "0"),
        ("num_factors", "1001"),
        ("predictor_type", "classifier"),
        ("epochs", ""),
        ("mini_batch_size", "0"),
        ("bias_lr", "-0.1"),
        ("bias_lr", "nan"),
        ("linear_wd", "inf"),
        ("factors_lr", "1e999"),
        ("factors_lr", "513"),
        ("factors_init_method", "xavier"),
        ("clip_gradient", "0"),
        ("eps", "0"),
        ("learning_rate_decay", "1.01"),
        ("seed", "-1"),
        ("solver", "sgd"),
        ("averaging_decay", "1"),
        ("holdout_fraction", "0.6"),
        ("patience", "0"),
        ("draws", "0"),
        ("burn_in", "-1"),
        ("chains", "0"),
        ("draw_factors", "65"),
        ("field_sizes", "943"),
        ("field_sizes", "943,0"),
        ("field_sizes", "943;1682"),
        ("implicit_features", "yes"),
        ("like_threshold", "good"),
        ("sweeps", "0"),
        ("unobserved_weight", "0"),
        ("regularization", "0"),
        ("regularization_exponent", "-0.1"),
        ("init_sigma", "0"),
        ("search", "yes"),
        ("search_share", "0.95"),
        ("validation_fraction", "0.6"),
        ("hit_threshold", "-1"),
        ("feature_strength", "-1"),
        ("epochs", True),
        ("epochs", None),
        ("epochs", ["1"]),
    ],
)
def test_a_value_out_of_range_is_refused_with_name_value_and_range(name, value):
    (problem,) = problems_of({**REQUIRED, name: value})

    assert problem.startswith(f"{name} is {value!r}, expected ")


@pytest.mark.parametrize(
    ("method", "companion"), [("uniform", "init_scale"), ("constant", "init_value")]
)
@pytest.mark.parametrize("term", ["bias", "linear", "factors"])
def test_an_init_method_without_its_size_is_refused(term, method, companion):
    (problem,) = problems_of({**REQUIRED, f"{term}_init_method": method})

    assert problem == (
        f"{term}_{companion} is missing, required when {term}_init_method is {method}"
    )


def test_what_steers_the_sampler_arrives_where_it_is_used():
    settings = parse_hyperparameters(
        {
            **REQUIRED,
            "solver": "gibbs",
            "draws": "7",
            "burn_in": "0",
            "chains": "2",
            "draw_factors": "3",
            "field_sizes": "943,1680,2",
            "implicit_features": "true",
            "like_threshold": "4",
        }
    )

    assert (settings.solver, settings.draws, settings.burn_in) == ("gibbs", 7, 0)
    assert settings.chains == 2
    assert (settings.draw_factors, settings.field_sizes) == (3, (943, 1680, 2))
    assert (settings.implicit_features, settings.like_threshold) == (True, 4.0)


def test_without_our_own_hyperparameters_the_solver_is_the_built_ins():
    settings = parse_hyperparameters(REQUIRED)

    assert (settings.solver, settings.implicit_features) == ("adam", False)
    assert (settings.field_sizes, settings.like_threshold) == ((), None)


def test_fields_that_do_not_fill_the_columns_are_refused():
    (problem,) = problems_of({**REQUIRED, "field_sizes": "943,1681"})

    assert problem == (
        "field_sizes is '943,1681', which adds up to 2624, expected the feature_dim 2625"
    )


def test_likes_of_a_regressor_need_the_sampler():
    raw = {**REQUIRED, "predictor_type": "regressor", "like_threshold": "4"}

    (problem,) = problems_of(raw)

    assert problem.startswith("like_threshold is '4', expected with a regressor only when solver")
    assert parse_hyperparameters({**raw, "solver": "gibbs"}).like_threshold == 4


RANKING = {"feature_dim": "2625", "predictor_type": "regressor", "solver": "als"}


def test_what_steers_a_ranking_model_arrives_where_it_is_used():
    given = {
        "sweeps": "9",
        "unobserved_weight": "0.1",
        "regularization": "0.02",
        "regularization_exponent": "0.5",
        "init_sigma": "1",
        "search": "false",
        "search_share": "0.2",
        "validation_fraction": "0.3",
        "hit_threshold": "0.8",
        "feature_strength": "7",
        "num_factors": "48",
    }

    settings = parse_hyperparameters({**RANKING, **given})

    assert settings.ranks
    assert settings.num_factors == 48
    assert settings.ranking == Ranking(
        num_factors=48,
        sweeps=9,
        unobserved_weight=0.1,
        regularization=0.02,
        regularization_exponent=0.5,
        init_sigma=1.0,
        search=False,
        search_share=0.2,
        validation_fraction=0.3,
        hit_threshold=0.8,
        feature_strength=7.0,
    )


def test_a_ranking_model_alone_may_leave_its_rank_and_its_loss_open():
    settings = parse_hyperparameters(RANKING)

    assert settings.ranking.num_factors is None
    assert (settings.ranking.unobserved_weight, settings.ranking.regularization) == (None, None)
    assert settings.ranking.search
    (problem,) = problems_of({**RANKING, "solver": "gibbs"})
    assert problem == "num_factors is missing, expected an integer from 1 to 1000"


def test_a_ranking_model_is_no_classifier():
    (problem,) = problems_of({**RANKING, "predictor_type": "binary_classifier"})

    assert problem == (
        "predictor_type is 'binary_classifier', expected regressor when solver is als, whose "
        "scores rank and are no log-odds"
    )
