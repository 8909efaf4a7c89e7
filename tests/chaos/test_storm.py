"""Two hundred uploads at once, told of twice, late and in any order, while runs are at work."""

import random

from functions.admit_upload import app as admit_upload
from testbed import films
from testbed import stage as stages
from testbed.campaign import come_to_rest
from testbed.events import object_created
from testbed.machine import State
from testbed.runs import Outside, pointer, run, upload_films
from testbed.stage import Stage

FILES = 200


def test_a_storm_of_files_is_trained_whole_in_few_runs() -> None:
    rng = random.Random(7)
    with stages.set_up() as stage:
        upload_films(stage)
        keys = [f"ratings/films/storm/{n:03d}.csv" for n in range(FILES)]
        events = [*keys, *keys]
        rng.shuffle(events)
        waves = [keys[:80], keys[80:150], keys[150:]]
        told = [events[:170], events[170:300], events[300:]]
        starts: list[str] = []

        def wave(_: State | None = None) -> None:
            if not waves:
                return
            for key in waves.pop(0):
                user, item = rng.choice(films.USERS), rng.choice(films.ITEMS)
                stage.upload(key, f"user,item,rating\n{user},{item},{films.rating(user, item):g}\n")
            starts.extend(name for name, started in map(tell, told.pop(0)) if started)

        def tell(key: str) -> tuple[str, bool]:
            event = object_created(stage.ratings, key)
            answer = stage.run("AdmitUpload", admit_upload.lambda_handler, event)
            return answer["execution"], answer["started"]

        def train(data: State) -> None:
            wave()
            Outside(stage).train(data)

        wave()
        (first,) = starts  # one run, however many events there were
        run(stage, first, Outside(stage, settles=wave, trains=train))
        come_to_rest(stage)
        assert not waves
        check(stage, keys)


def check(stage: Stage, keys: list[str]) -> None:
    plan = stage.kept_json(f"runs/films/{pointer(stage)['runId']}/plan.json")
    read = {one["key"] for one in plan["snapshot"]}
    assert read >= set(keys)
    assert len(stage.executions()) <= 3
    assert "owner" not in stage.lease()
