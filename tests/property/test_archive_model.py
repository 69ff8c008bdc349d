"""Any sequence of stores, deletions, erasures, compactions and restarts against a model that is a dictionary."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from archives import LIMITS, assert_reindex_is_equal, incoming, problems, spooled
from data import make_instance
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.archive.archive import KEEP_FIRST, REPLACE, Archive
from engine.archive.changes import ChangeKind
from engine.archive.records import StoreStatus
from engine.errors import ChangesGone, InstanceNotFound, SeriesNotFound, StudyNotFound

STUDIES, SERIES, INSTANCES, VERSIONS = range(2), range(2), range(4), range(3)
numbers = st.tuples(st.sampled_from(STUDIES), st.sampled_from(SERIES), st.sampled_from(INSTANCES))


def content_of(study: int, series: int, instance: int, version: int) -> bytes:
    uid = f"1.2.{study}.{series}.{instance}"
    return make_instance(
        uid, study=f"1.2.{study}", series=f"1.2.{study}.{series}", number=instance, patient=f"V{version}",
        rows=20 + 90 * instance, columns=100, z=float(instance),
    )  # fmt: skip


class ArchiveMachine(RuleBasedStateMachine):
    """`versions`: UID → contents, the one that is served first."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self._policy = KEEP_FIRST
        self.archive = self._open()
        self.versions: dict[str, list[bytes]] = {}
        self._mirror: dict[str, bytes] = {}
        self._since = self.archive.feed().last
        self._clock = 0

    def _open(self) -> Archive:
        return Archive.open(self._folder / "archive", LIMITS, on_conflict=self._policy)

    def teardown(self) -> None:
        try:
            assert problems(self.archive) == []
            self.archive.close()
            assert_reindex_is_equal(self._folder / "archive")
        finally:
            shutil.rmtree(self._folder)

    @rule(batch=st.lists(st.tuples(numbers, st.sampled_from(VERSIONS), st.booleans()), min_size=1, max_size=5))
    def store(self, batch: list[tuple[tuple[int, int, int], int, bool]]) -> None:
        arrivals, expected = [], []
        for where, version, is_spooled in batch:
            content = content_of(*where, version)
            uid = f"1.2.{where[0]}.{where[1]}.{where[2]}"
            self._clock += 1
            make = (lambda c, ns: spooled(self.archive, c, ns)) if is_spooled else incoming
            arrivals.append(make(content, self._clock))
            known = self.versions.setdefault(uid, [])
            if content in known:
                expected.append(StoreStatus.DUPLICATE)
            elif not known:
                known.append(content)
                expected.append(StoreStatus.STORED)
            elif self._policy == REPLACE:
                known.insert(0, content)
                expected.append(StoreStatus.CONFLICT_REPLACED)
            else:
                known.append(content)
                expected.append(StoreStatus.CONFLICT_KEPT)
        assert [o.status for o in self.archive.store(arrivals)] == expected

    @rule(where=numbers, level=st.integers(0, 2))
    def delete(self, where: tuple[int, int, int], level: int) -> None:
        study, series = f"1.2.{where[0]}", f"1.2.{where[0]}.{where[1]}"
        prefix = [study + ".", series + ".", f"{series}.{where[2]}"][level]
        doomed = [uid for uid in self.versions if uid.startswith(prefix)]
        try:
            count = self.archive.delete(
                **[{"study_uid": study}, {"study_uid": study, "series_uid": series}, {"sop_uid": prefix}][level]  # type: ignore[arg-type]
            )
        except (StudyNotFound, SeriesNotFound, InstanceNotFound):
            count = 0
        assert count == len(doomed)
        for uid in doomed:
            del self.versions[uid]

    @rule()
    def erase(self) -> None:
        self.archive.upkeep().erase_due(0)

    @rule(percent=st.sampled_from([30, 70, 101]))
    def compact(self, percent: int) -> None:
        self.archive.upkeep().compact(percent, grace_s=0)

    @rule(policy=st.sampled_from([KEEP_FIRST, REPLACE]))
    def restart(self, policy: str) -> None:
        # What a replacing archive served it serves for ever: the policy may only go from keeping to replacing here.
        self._policy = REPLACE if REPLACE in (policy, self._policy) else KEEP_FIRST
        self.archive.close()
        self.archive = self._open()

    @precondition(lambda self: self.versions)
    @rule()
    def reindex(self) -> None:
        self.archive.close()
        try:
            assert_reindex_is_equal(self._folder / "archive")
        finally:
            self.archive = self._open()
            with pytest.raises(ChangesGone):
                self.archive.changes(self._since, 1)
            self._since = self.archive.feed().last

    @invariant()
    def who_follows_the_feed_has_what_is_served(self) -> None:
        """As a client does it: what a change names is read, and nothing else ever."""
        while found := self.archive.changes(self._since, 3)[1]:
            for change in found:
                uid = change.sop_instance_uid
                assert (uid in self._mirror) is (change.kind is not ChangeKind.STORED)
                if change.kind is ChangeKind.DELETED:
                    del self._mirror[uid]
                elif change.kind is ChangeKind.STORED:
                    self._mirror[uid] = b""
            self._since = found[-1].sequence
            for uid in {change.sop_instance_uid for change in found if change.kind is not ChangeKind.KEPT}:
                if uid in self._mirror and uid in self.versions:
                    self._mirror[uid] = bytes(self.archive.read(self.archive.instance(uid)))
        assert self._mirror == {uid: contents[0] for uid, contents in self.versions.items()}

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        assert self.archive.stats().instances == len(self.versions)
        for uid, contents in self.versions.items():
            found = [bytes(self.archive.read(r)) for r in self.archive.versions(uid)]
            assert found[0] == contents[0]
            assert sorted(found) == sorted(contents)
        for study in STUDIES:
            for series in SERIES:
                stem = f"1.2.{study}.{series}"
                expected = sorted(u for u in self.versions if u.startswith(stem + "."))
                try:
                    members = [r.sop_instance_uid for r in self.archive.members(f"1.2.{study}", stem)]
                except SeriesNotFound:
                    members = []
                assert members == expected  # slices lie in the order of their numbers
                if expected:
                    summary = self.archive.series(f"1.2.{study}", stem)
                    assert summary.instance_count == len(expected)
                    assert summary.byte_count == sum(len(self.versions[u][0]) for u in expected)


TestArchiveModel = pytest.mark.timeout(250)(ArchiveMachine.TestCase)
TestArchiveModel.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
