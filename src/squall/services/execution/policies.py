"""Policies: what packs bring, and what people add, change and remove."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from squall.core.errors import ConflictError, NotFoundError
from squall.core.execution.policy import POLICY_TYPES, Policy, PolicyType, make_policy
from squall.ports import Clock, LoadedPack, Store, Tx
from squall.services.execution.admission import Admission, changed_actions
from squall.services.execution.transitions import Transitions


class Policies:
    """Use cases of policies. A change counts at once, also for those who run and who wait."""

    def __init__(self, store: Store, clock: Clock, admission: Admission, transitions: Transitions) -> None:
        self._store = store
        self._clock = clock
        self._admission = admission
        self._transitions = transitions

    async def types(self) -> Sequence[PolicyType]:
        """All kinds of policies."""
        return list(POLICY_TYPES.values())

    async def get(self, ref_or_id: str) -> Policy:
        """One policy. Raises `NotFoundError`."""
        found = await self._store.read(lambda tx: tx.policies.get(ref_or_id))
        if found is None:
            raise _missing(ref_or_id)
        return found

    async def find(self, resource_ref: str | None, pack: str | None, policy_type: str | None) -> list[Policy]:
        """Those that match, by ref."""
        return list(await self._store.read(lambda tx: tx.policies.find(resource_ref, pack, policy_type)))

    async def create(self, given: Mapping[str, Any]) -> Policy:
        """Adds a policy. Raises `InvalidError`, and `ConflictError` when there is one of this name."""
        policy = make_policy({**given, "metadata_file": ""}, self._clock.new_id())

        async def work(tx: Tx) -> None:
            await _check_free(tx, policy)
            await tx.policies.put(policy)
            await self._reconsider(tx, [], [policy])

        await self._store.tx(work)
        self._transitions.wake()
        return policy

    async def update(self, ref_or_id: str, given: Mapping[str, Any]) -> Policy:
        """Replaces a policy by what is given; it keeps its id. Raises `InvalidError`, `NotFoundError`,
        `ConflictError`."""

        async def work(tx: Tx) -> Policy:
            old = await tx.policies.get(ref_or_id)
            if old is None:
                raise _missing(ref_or_id)
            policy = make_policy({"metadata_file": old.metadata_file, **given}, old.id)
            if policy.ref != old.ref:
                await _check_free(tx, policy)
            await tx.policies.put(policy)
            await self._reconsider(tx, [old], [policy])
            return policy

        policy = await self._store.tx(work)
        self._transitions.wake()
        return policy

    async def delete(self, ref_or_id: str) -> None:
        """Removes a policy. Raises `NotFoundError`."""

        async def work(tx: Tx) -> None:
            old = await tx.policies.get(ref_or_id)
            if old is None:
                raise _missing(ref_or_id)
            await tx.policies.delete(old.id)
            await self._reconsider(tx, [old], [])

        await self._store.tx(work)
        self._transitions.wake()

    async def _reconsider(self, tx: Tx, before: Sequence[Policy], after: Sequence[Policy]) -> None:
        for action in changed_actions(before, after):
            await self._admission.reconsider(tx, action, self._transitions, self._clock.now())


class PolicyRegistrar:
    """`Registrar` of the policies that packs bring. What people have added stays."""

    def __init__(self, clock: Clock, admission: Admission, transitions: Transitions) -> None:
        self._clock = clock
        self._admission = admission
        self._transitions = transitions

    async def replace(self, tx: Tx, loaded: LoadedPack) -> None:
        """Registers the policies of a pack's files, and forgets those whose files are gone."""
        pack, brought = loaded.pack.ref, {policy.ref: policy for policy in loaded.policies}
        before = await tx.policies.find(pack=pack)
        known = {policy.ref: policy.id for policy in before}
        for old in before:
            if old.metadata_file and old.ref not in brought:
                await tx.policies.delete(old.id)
        for ref, policy in brought.items():
            await tx.policies.put(msgspec.structs.replace(policy, id=known.get(ref) or self._clock.new_id()))
        await self._reconsider(tx, before, await tx.policies.find(pack=pack))

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Forgets the policies that packs brought which are gone."""
        before = await tx.policies.find()
        gone = [policy for policy in before if policy.metadata_file and policy.pack not in refs]
        for policy in gone:
            await tx.policies.delete(policy.id)
        await self._reconsider(tx, gone, [])

    def changed(self) -> None:
        """Executions that may run now are run."""
        self._transitions.wake()

    async def _reconsider(self, tx: Tx, before: Sequence[Policy], after: Sequence[Policy]) -> None:
        for action in changed_actions(before, after):
            await self._admission.reconsider(tx, action, self._transitions, self._clock.now())


async def _check_free(tx: Tx, policy: Policy) -> None:
    other = await tx.policies.get(policy.ref)
    if other is not None:
        raise ConflictError(f'There is a policy "{policy.ref}" already; its id is {other.id}.', other.id)


def _missing(ref_or_id: str) -> NotFoundError:
    return NotFoundError(f'Resource with a reference or id "{ref_or_id}" not found')
