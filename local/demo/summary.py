"""What a demo tells at its end: figures, recommendations, commands to try, where things lie."""

import json
from typing import Any

from local.demo.run import CATALOG, USER, call
from local.demo.screen import Screen
from local.emulator.stack import REGION, ROOT, Stack

ARTICLE = {"accuracy": 0.7159, "cross_entropy": 0.5811, "f1": 0.7456}
"""What the article's notebook reached on the same split: 64 factors, 50 epochs."""


def tell(stack: Stack, facts: dict[str, Any], screen: Screen) -> None:
    """Print what came of it: figures, recommendations, commands to try, where things lie."""
    gibbs, adam = facts["metrics"], facts["metrics_adam"]
    screen.say("\nOn ua.test             article      adam     gibbs")
    for name in ("accuracy", "cross_entropy", "f1", "auc"):
        article = f"{ARTICLE[name]:.4f}" if name in ARTICLE else "     -"
        figures = f"{article}    {adam[name]:.4f}    {gibbs[name]:.4f}"
        screen.say(f"  {name.replace('_', ' '):<18}  {figures}")
    screen.say(
        f"\nSecond drop to served predictions: {facts['drop_to_served_s']} s, "
        f"{facts['outside_training_s']} s of it outside training."
    )
    screen.say(f"\nUser {USER} liked:")
    for title in _liked():
        screen.say(f"  {title}")
    _, found = call(stack, "GET", f"users/{USER}/recommendations?limit=5")
    screen.say("and is recommended:")
    for item in found["items"]:
        screen.say(f"  {item['title']}  ({item['score']:.3f})")
    _commands(stack, facts, screen)


def _liked() -> list[str]:
    data = ROOT / "build" / "data" / "ml-100k"
    titles = dict(
        line.split("|")[:2] for line in (data / "u.item").read_text("latin-1").splitlines()
    )
    rows = [line.split("\t") for line in (data / "ua.base").read_text().splitlines()]
    best = sorted((row for row in rows if row[0] == USER), key=lambda row: -int(row[2]))
    return [f"{titles[row[1]]}  ({row[2]} stars)" for row in best[:5]]


def _commands(stack: Stack, facts: dict[str, Any], screen: Screen) -> None:
    base, outputs = facts["api_base_url"], stack.outputs
    artifacts, ratings = outputs["ArtifactsBucketName"], outputs["RatingsBucketName"]
    manifest = facts["manifest"]
    pairs = json.dumps({"pairs": [{"user": USER, "item": "242"}]})
    environment = "\n".join(
        f"  export {name}={value}" for name, value in stack.environment().items()
    )
    curl = f"curl -s --aws-sigv4 aws:amz:{REGION}:execute-api --user local:local"
    screen.say(
        f"""
Try it (while it is up):
  {curl} {base}/catalogs/{CATALOG}/users/{USER}/recommendations
  {curl} {base}/catalogs/{CATALOG}/predictions -d '{pairs}'
  {curl} {base}/catalogs/{CATALOG}/model

The same for the aws command, after:
{environment}
  aws s3 cp my-ratings.csv s3://{ratings}/ratings/my-shop/
  aws stepfunctions list-executions --state-machine-arn {outputs["StateMachineArn"]}
  aws s3 ls --recursive s3://{artifacts}/runs/{CATALOG}/{manifest["runId"]}/

Outputs lie in s3://{artifacts}/runs/{CATALOG}/{manifest["runId"]}/
  manifest.json  report.html  metrics.json  recommendations/  factors/  model/  train/  test/
Figures: build/demo.json   Logs: build/local/*.log"""
    )
