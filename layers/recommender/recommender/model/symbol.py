"""``symbol.json``: the factorization machine as a graph that MXNet 1.x loads and computes."""

import json

from recommender.predictor_types import BINARY_CLASSIFIER

_MXNET_VERSION = 10901


def symbol_json(predictor_type: str) -> bytes:
    """Write the graph over ``data``, ``v``, ``w1_weight`` and ``w0_weight``.

    Args:
        predictor_type: ``binary_classifier`` ends with a sigmoid, ``regressor`` without.

    Returns:
        The graph's JSON; its one output has the shape ``(rows, 1)``.
    """
    graph = _Graph()
    data, factors = graph.add("null", "data"), graph.add("null", "v")
    linear, bias = graph.add("null", "w1_weight"), graph.add("null", "w0_weight")
    sums = graph.add("dot", "sums", data, factors)
    squared_sums = graph.add("square", "squared_sums", sums)
    squared_data = graph.add("square", "squared_data", data)
    squared_factors = graph.add("square", "squared_factors", factors)
    summed_squares = graph.add("dot", "summed_squares", squared_data, squared_factors)
    twice = graph.add("elemwise_sub", "twice_each_factor", squared_sums, summed_squares)
    twice_pairs = graph.add("sum", "twice_pairs", twice, axis="1", keepdims="True")
    pairs = graph.add("_mul_scalar", "pairs", twice_pairs, scalar="0.5")
    weights = graph.add("dot", "weights", data, linear)
    terms = graph.add("elemwise_add", "terms", weights, pairs)
    score = graph.add("broadcast_add", "score", terms, bias)
    if predictor_type == BINARY_CLASSIFIER:
        score = graph.add("sigmoid", "probability", score)
    return graph.to_json(score)


class _Graph:
    """Nodes in the order in which MXNet computes them, each named by its place."""

    def __init__(self) -> None:
        self._nodes: list[dict[str, object]] = []

    def add(self, operator: str, name: str, *inputs: int, **attributes: str) -> int:
        node: dict[str, object] = {"op": operator, "name": name}
        if attributes:
            node["attrs"] = attributes
        node["inputs"] = [[place, 0, 0] for place in inputs]
        self._nodes.append(node)
        return len(self._nodes) - 1

    def to_json(self, output: int) -> bytes:
        variables = [place for place, node in enumerate(self._nodes) if node["op"] == "null"]
        graph = {
            "nodes": self._nodes,
            "arg_nodes": variables,
            "node_row_ptr": list(range(len(self._nodes) + 1)),
            "heads": [[output, 0, 0]],
            "attrs": {"mxnet_version": ["int", _MXNET_VERSION]},
        }
        return json.dumps(graph, indent=2).encode()
