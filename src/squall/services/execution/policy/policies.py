"""Manages policies: registers those of packs; creates, updates and deletes those of users."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from squall.core.errors import ConflictError, NotFoundError
from squall.core.execution.policy import POLICY_TYPES, Policy, PolicyType, make_policy
from squall.ports import Clock, LoadedPack, Store, Tx
from squall.services.execution.policy.admission import Admission, changed_actions
from squall.services.execution.transitions import Transitions


class Policies:
    """The use cases of policies. A change applies at once, also to running and waiting executions."""

    def __init__(self, store: Store, clock: Clock, admission: Admission, transitions: Transitions) -> None:
        self._store = store
        self._clock = clock
        self._admission = admission
        self._transitions = transitions

    async def types(self) -> Sequence[PolicyType]:
        """Returns all policy types."""
        return list(POLICY_TYPES.values())

    async def get(self, ref_or_id: str) -> Policy:
        """Returns one policy. Raises `NotFoundError`."""
        policy = await self._store.read(lambda tx: tx.policies.get(ref_or_id))
        if policy is None:
            raise _missing(ref_or_id)
        return policy

    async def find(self, resource_ref: str | None, pack: str | None, policy_type: str | None) -> list[Policy]:
        """Returns the matching policies, sorted by ref."""
        return list(await self._store.read(lambda tx: tx.policies.find(resource_ref, pack, policy_type)))

    async def create(self, document: Mapping[str, Any]) -> Policy:
        """Adds a policy. Raises `InvalidError`, and `ConflictError` if its name is taken."""
        policy = make_policy({**document, "metadata_file": ""}, self._clock.new_id())

        async def work(tx: Tx) -> None:
            await _check_free(tx, policy)
            await tx.policies.put(policy)
            await self._reconsider(tx, [], [policy])

        await self._store.tx(work)
        self._transitions.wake()
        return policy

    async def update(self, ref_or_id: str, document: Mapping[str, Any]) -> Policy:
        """Replaces a policy; it keeps its id. Raises `InvalidError`, `NotFoundError`, `ConflictError`."""

        async def work(tx: Tx) -> Policy:
            old = await tx.policies.get(ref_or_id)
            if old is None:
                raise _missing(ref_or_id)
            policy = make_policy({"metadata_file": old.metadata_file, **document}, old.id)
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
    """The `Registrar` of the policies in packs. It never changes policies that users added."""

    def __init__(self, clock: Clock, admission: Admission, transitions: Transitions) -> None:
        self._clock = clock
        self._admission = admission
        self._transitions = transitions

    async def replace(self, tx: Tx, loaded: LoadedPack) -> Sequence[str]:
        """Registers the policies in a pack's files, and deletes those whose files are gone."""
        pack, by_ref = loaded.pack.ref, {policy.ref: policy for policy in loaded.policies}
        before = await tx.policies.find(pack=pack)
        ids = {policy.ref: policy.id for policy in before}
        for old in before:
            if old.metadata_file and old.ref not in by_ref:
                await tx.policies.delete(old.id)
        for ref, policy in by_ref.items():
            await tx.policies.put(msgspec.structs.replace(policy, id=ids.get(ref) or self._clock.new_id()))
        await self._reconsider(tx, before, await tx.policies.find(pack=pack))
        return ()

    async def keep(self, tx: Tx, refs: Collection[str]) -> None:
        """Deletes the file policies of packs that are not in `refs`."""
        before = await tx.policies.find()
        removed = [policy for policy in before if policy.metadata_file and policy.pack not in refs]
        for policy in removed:
            await tx.policies.delete(policy.id)
        await self._reconsider(tx, removed, [])

    def changed(self) -> None:
        """Wakes the workers, so that executions that may run now start."""
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
