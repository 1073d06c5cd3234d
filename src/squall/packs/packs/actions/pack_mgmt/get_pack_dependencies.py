"""What packs depend on."""

from pack_action import PackAction


class GetPackDependencies(PackAction):
    """`packs.get_pack_dependencies`: `dependency_list`, `conflict_list`, and `nested`, which is one less."""

    def run(self, packs_status, nested, installation=None):
        """Looks into their metadata."""
        return True, self.packs(installation=installation).dependencies(list(packs_status or {}), nested)
