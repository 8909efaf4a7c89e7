"""What a demo tells at its end: figures, recommendations, commands to try, where things lie."""

import json
from typing import Any

from local.demo.run import CATALOG, STRANGER, USER, call
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
    _lists(facts["lists"], screen)
    screen.say(
        f"\nSecond drop to served predictions: {facts['drop_to_served_s']} s, "
        f"{facts['outside_training_s']} s of it outside training."
    )
    screen.say(f"\nUser {USER} liked:")
    for title in _liked():
        screen.say(f"  {title}")
    _, found = call(stack, "GET", f"users/{USER}/recommendations?limit=5")
    screen.say("and is recommended (chance of a like beside it):")
    for item in found["items"]:
        screen.say(f"  {item['title']}  ({item['like_probability']:.2f})")
    _stranger(stack, screen)
    _commands(stack, facts, screen)


def _lists(lists: dict[str, Any], screen: Screen) -> None:
    methods = lists["methods"]
    screen.say("\nLists of ten          popular   item-item   like model   ranking model")
    for label, name in (("NDCG", "ndcg@10"), ("hit rate", "hit_rate@10")):
        popular, neighbours, like, ranking = (
            f"{methods[method][name]['mean']:.4f}"
            for method in ("popularity", "item-to-item", "like", "ranking")
        )
        screen.say(f"  {label:<18}  {popular:>9}   {neighbours:>9}   {like:>10}   {ranking:>13}")


def _stranger(stack: Stack, screen: Screen) -> None:
    """Show what somebody gets who is not in the data, and why."""
    ratings = [{"item": item, "rating": 5} for item in STRANGER]
    body = {"ratings": ratings, "limit": 5, "explain": True}
    _, found = call(stack, "POST", "recommendations", body)
    liked = {one["item"]: one["title"] for one in found["items"][0]["because"]}
    screen.say("\nSomebody who is not in the data likes " + ", ".join(liked.values()))
    screen.say("and is recommended, because of:")
    for item in found["items"]:
        because = ", ".join(
            f"{one['title'].rpartition(' (')[0]} {one['share'] / item['score']:.0%}"
            for one in item["because"]
        )
        screen.say(f"  {item['title']}  ({because})")


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
    session = json.dumps({"ratings": [{"item": STRANGER[0]}], "explain": True})
    environment = "\n".join(
        f"  export {name}={value}" for name, value in stack.environment().items()
    )
    curl = f"curl -s --aws-sigv4 aws:amz:{REGION}:execute-api --user local:local"
    screen.say(
        f"""
Try it (while it is up):
  {curl} {base}/catalogs/{CATALOG}/users/{USER}/recommendations
  {curl} {base}/catalogs/{CATALOG}/recommendations -d '{session}'
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
