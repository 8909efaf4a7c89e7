"""The lease: one owner per catalog at a time, whatever comes twice, late or at once."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from recommender.aws import leases
from recommender.aws.leases import Lease
from recommender.errors import LeaseLostError, ServiceUnavailableError

from testbed.stage import Stage

CATALOG = "films"


def never(lease: Lease) -> None:
    raise AssertionError(f"{lease} is alive")


def always(status: str | None) -> Callable[[str], str | None]:
    return lambda _: status


def taken(stage: Stage) -> str:
    """Take the free lease."""
    owner = leases.take(stage.table, leases.read(stage.table, CATALOG))
    assert owner is not None
    return owner


def dirty(stage: Stage, owner: str) -> None:
    assert leases.mark_dirty(stage.table, CATALOG, owner)


def test_a_catalog_that_nobody_knows_is_free(stage: Stage) -> None:
    assert leases.read(stage.table, CATALOG) == Lease(
        CATALOG, 0, None, dirty=False, predecessor=None, run_id=None, training_jobs=()
    )


def test_who_takes_a_free_lease_owns_it_under_a_name_that_an_execution_may_have(
    stage: Stage,
) -> None:
    owner = taken(stage)
    assert leases.read(stage.table, CATALOG).owner == owner
    stage.start(owner)  # Step Functions checks it
    assert owner.startswith("films-000001-")


def test_of_two_who_saw_the_lease_free_one_gets_it(stage: Stage) -> None:
    found = leases.read(stage.table, CATALOG)
    first, second = leases.take(stage.table, found), leases.take(stage.table, found)
    assert (first is not None, second) == (True, None)
    assert leases.read(stage.table, CATALOG).owner == first


def test_of_two_who_saw_the_owner_dead_one_takes_over(stage: Stage) -> None:
    taken(stage)
    found = leases.read(stage.table, CATALOG)
    first, second = leases.take(stage.table, found), leases.take(stage.table, found)
    assert (first is not None, second) == (True, None)
    assert leases.read(stage.table, CATALOG).owner == first


def test_a_lease_seen_free_before_another_run_came_and_went_cannot_be_taken(stage: Stage) -> None:
    found = leases.read(stage.table, CATALOG)
    leases.give_back(stage.table, CATALOG, taken(stage))
    assert leases.take(stage.table, found) is None


def test_every_owner_has_a_higher_fence_and_a_name_of_its_own(stage: Stage) -> None:
    seen: list[tuple[int, str | None]] = []
    for _ in range(3):
        owner = taken(stage)
        seen.append((leases.read(stage.table, CATALOG).fence, owner))
        leases.give_back(stage.table, CATALOG, owner)
    assert [fence for fence, _ in seen] == [1, 2, 3]
    assert len({owner for _, owner in seen}) == 3


def test_a_lease_given_back_clean_is_free_and_nothing_follows(stage: Stage) -> None:
    owner = taken(stage)
    assert leases.give_back(stage.table, CATALOG, owner) is None
    assert leases.read(stage.table, CATALOG).owner is None


def test_a_lease_given_back_dirty_passes_to_a_next_run(stage: Stage) -> None:
    owner = taken(stage)
    dirty(stage, owner)
    following = leases.give_back(stage.table, CATALOG, owner)
    lease = leases.read(stage.table, CATALOG)
    assert following is not None
    assert (lease.owner, lease.predecessor, lease.dirty) == (following, owner, False)


def test_giving_back_again_names_the_same_next_run(stage: Stage) -> None:
    owner = taken(stage)
    dirty(stage, owner)
    once = leases.give_back(stage.table, CATALOG, owner)
    before = leases.read(stage.table, CATALOG)
    assert leases.give_back(stage.table, CATALOG, owner) == once
    assert leases.read(stage.table, CATALOG) == before


def test_giving_back_again_does_not_free_what_another_run_took_meanwhile(stage: Stage) -> None:
    owner = taken(stage)
    leases.give_back(stage.table, CATALOG, owner)
    other = taken(stage)
    assert leases.give_back(stage.table, CATALOG, owner) is None
    assert leases.read(stage.table, CATALOG).owner == other


def test_an_upload_between_the_look_and_the_giving_back_is_not_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = taken(stage)
    read = leases.read
    late = iter([True])

    def read_and_be_overtaken(table: str, catalog: str) -> Lease:
        lease = read(table, catalog)
        if next(late, False):
            dirty(stage, owner)
        return lease

    monkeypatch.setattr(leases, "read", read_and_be_overtaken)
    following = leases.give_back(stage.table, CATALOG, owner)
    assert following is not None
    assert read(stage.table, CATALOG).owner == following


def test_looking_at_the_bucket_answers_for_what_arrived_before(stage: Stage) -> None:
    owner = taken(stage)
    dirty(stage, owner)
    leases.look_at_bucket(stage.table, CATALOG, owner)
    assert leases.give_back(stage.table, CATALOG, owner) is None


def test_marking_an_owner_that_is_gone_says_so_and_marks_nobody(stage: Stage) -> None:
    owner = taken(stage)
    leases.give_back(stage.table, CATALOG, owner)
    assert not leases.mark_dirty(stage.table, CATALOG, owner)
    assert not leases.read(stage.table, CATALOG).dirty


def test_what_an_owner_notes_is_forgotten_with_its_lease(stage: Stage) -> None:
    owner = taken(stage)
    leases.note_run(stage.table, CATALOG, owner, "run")
    leases.note_training_job(stage.table, CATALOG, owner, "job")
    noted = leases.read(stage.table, CATALOG)
    assert (noted.run_id, noted.training_jobs) == ("run", ("job",))

    dirty(stage, owner)
    leases.give_back(stage.table, CATALOG, owner)
    forgotten = leases.read(stage.table, CATALOG)
    assert (forgotten.run_id, forgotten.training_jobs) == (None, ())


@pytest.mark.parametrize("followed", [False, True])
def test_who_gave_the_lease_back_last_is_still_known_by_its_run(
    stage: Stage, *, followed: bool
) -> None:
    owner = taken(stage)
    leases.note_run(stage.table, CATALOG, owner, "run")
    if followed:
        dirty(stage, owner)
    following = leases.give_back(stage.table, CATALOG, owner)
    lease = leases.read(stage.table, CATALOG)
    assert lease.run_of(owner) == "run"
    assert lease.run_of(str(following)) is None
    assert lease.run_of("somebody else") is None


def test_a_new_owner_that_handed_nothing_on_leaves_no_trace_of_the_one_before(
    stage: Stage,
) -> None:
    owner = taken(stage)
    leases.note_run(stage.table, CATALOG, owner, "run")
    leases.give_back(stage.table, CATALOG, owner)
    taken(stage)
    assert leases.read(stage.table, CATALOG).run_of(owner) is None


@pytest.mark.parametrize(
    "act",
    [
        lambda table, owner: leases.look_at_bucket(table, CATALOG, owner),
        lambda table, owner: leases.note_run(table, CATALOG, owner, "run"),
        lambda table, owner: leases.note_progress(table, CATALOG, owner, {"rows": 1}),
        lambda table, owner: leases.note_training_job(table, CATALOG, owner, "job"),
        lambda table, owner: leases.check_held(table, CATALOG, owner),
    ],
    ids=["look", "note run", "note progress", "note job", "check"],
)
def test_who_lost_the_lease_is_told_and_changes_nothing(
    stage: Stage, act: Callable[[str, str], object]
) -> None:
    owner = taken(stage)
    leases.take(stage.table, leases.read(stage.table, CATALOG))
    before = leases.read(stage.table, CATALOG)
    with pytest.raises(LeaseLostError) as caught:
        act(stage.table, owner)
    assert (caught.value.catalog, caught.value.owner) == (CATALOG, owner)
    assert leases.read(stage.table, CATALOG) == before


def test_catalogs_do_not_know_of_each_other(stage: Stage) -> None:
    owner = taken(stage)
    assert leases.read(stage.table, "books").owner is None
    assert leases.read(stage.table, CATALOG).owner == owner


def test_an_admission_to_a_free_catalog_must_start_its_run(stage: Stage) -> None:
    name, must_start = leases.admit(stage.table, CATALOG, status=always(None), abandon=never)
    assert must_start
    assert leases.read(stage.table, CATALOG).owner == name


def test_an_admission_while_a_run_is_under_way_marks_it(stage: Stage) -> None:
    owner = taken(stage)
    admitted = leases.admit(stage.table, CATALOG, status=always("RUNNING"), abandon=never)
    assert admitted == (owner, False)
    assert leases.read(stage.table, CATALOG).dirty


def test_an_owner_that_was_never_started_is_started_by_the_next_admission(stage: Stage) -> None:
    owner = taken(stage)
    admitted = leases.admit(stage.table, CATALOG, status=always(None), abandon=never)
    assert admitted == (owner, True)


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"])
def test_a_dead_owner_is_cleaned_up_after_before_its_lease_is_taken(
    stage: Stage, status: str
) -> None:
    owner = taken(stage)
    leases.note_training_job(stage.table, CATALOG, owner, "job")
    left: list[tuple[Lease, str | None]] = []

    def abandon(lease: Lease) -> None:
        left.append((lease, leases.read(stage.table, CATALOG).owner))

    name, must_start = leases.admit(stage.table, CATALOG, status=always(status), abandon=abandon)
    assert must_start
    assert name != owner
    ((lease, owner_meanwhile),) = left
    assert (lease.owner, lease.training_jobs, owner_meanwhile) == (owner, ("job",), owner)


def test_an_admission_overtaken_by_another_finds_the_run_of_the_other(stage: Stage) -> None:
    dead = taken(stage)
    others: list[str] = []

    def abandon(_: Lease) -> None:
        name = leases.take(stage.table, leases.read(stage.table, CATALOG))
        others.extend([name] if name else [])

    def status(name: str) -> str:
        return "ABORTED" if name == dead else "RUNNING"

    admitted = leases.admit(stage.table, CATALOG, status=status, abandon=abandon)
    assert admitted == (others[0], False)
    assert leases.read(stage.table, CATALOG).dirty


def test_an_owner_that_ends_while_it_is_being_marked_is_followed_by_a_run(stage: Stage) -> None:
    owner = taken(stage)

    def status(name: str) -> str:
        leases.give_back(stage.table, CATALOG, name)
        return "RUNNING"

    name, must_start = leases.admit(stage.table, CATALOG, status=status, abandon=never)
    assert must_start
    assert name != owner


def test_a_catalog_that_changes_at_every_look_is_left_to_a_retry(stage: Stage) -> None:
    def status(name: str) -> str:
        leases.give_back(stage.table, CATALOG, name)
        taken(stage)
        return "RUNNING"

    taken(stage)
    with pytest.raises(ServiceUnavailableError, match="films changes too fast"):
        leases.admit(stage.table, CATALOG, status=status, abandon=never)


@dataclass
class Model:
    """The lease as one would write it down on paper."""

    fence: int = 0
    owner: str | None = None
    dirty: bool = False
    predecessor: str | None = None


class LeaseMachine(RuleBasedStateMachine):
    """Runs and admissions in any order, some of them with a look at the lease that is old."""

    stage: ClassVar[Stage]
    numbers: ClassVar = itertools.count()
    owners = Bundle("owners")
    looks = Bundle("looks")

    def __init__(self) -> None:
        super().__init__()
        self.catalog = f"catalog-{next(self.numbers)}"
        self.model = Model()

    def read(self) -> Lease:
        return leases.read(self.stage.table, self.catalog)

    @rule(target=looks)
    def look(self) -> Lease:
        return self.read()

    @rule(target=owners, found=consumes(looks))
    def take(self, found: Lease) -> str:
        name = leases.take(self.stage.table, found)
        fresh = (found.fence, found.owner) == (self.model.fence, self.model.owner)
        assert (name is not None) == fresh
        if name is not None:
            self.model = Model(self.model.fence + 1, name)
        return name or "nobody"

    @rule(owner=owners)
    def mark_dirty(self, owner: str) -> None:
        held = owner == self.model.owner
        assert leases.mark_dirty(self.stage.table, self.catalog, owner) == held
        self.model.dirty |= held

    @rule(owner=owners)
    def look_at_bucket(self, owner: str) -> None:
        try:
            leases.look_at_bucket(self.stage.table, self.catalog, owner)
        except LeaseLostError:
            assert owner != self.model.owner
        else:
            assert owner == self.model.owner
            self.model.dirty = False

    @rule(target=owners, owner=owners)
    def give_back(self, owner: str) -> str:
        before = self.model
        following = leases.give_back(self.stage.table, self.catalog, owner)
        if owner != before.owner:
            handed_on = before.owner if owner == before.predecessor else None
            assert following == handed_on
        elif before.dirty:
            assert following is not None
            self.model = Model(before.fence + 1, following, predecessor=owner)
        else:
            assert following is None
            self.model = Model(before.fence, predecessor=owner)
        return following or "nobody"

    @rule(target=owners, alive=st.booleans())
    def admit(self, alive: bool) -> str:  # noqa: FBT001
        status = always("RUNNING" if alive else "ABORTED")
        name, must_start = leases.admit(
            self.stage.table, self.catalog, status=status, abandon=lambda _: None
        )
        if self.model.owner is not None and alive:
            assert (name, must_start) == (self.model.owner, False)
            self.model.dirty = True
        else:
            assert must_start
            assert name != self.model.owner
            self.model = Model(self.model.fence + 1, name)
        return name

    @invariant()
    def table_agrees_with_model(self) -> None:
        lease = self.read()
        found = Model(lease.fence, lease.owner, lease.dirty, lease.predecessor)
        assert found == self.model


def test_the_lease_behaves_like_one_written_on_paper(stage: Stage) -> None:
    run_machine(
        type("StagedLeaseMachine", (LeaseMachine,), {"stage": stage}),
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
