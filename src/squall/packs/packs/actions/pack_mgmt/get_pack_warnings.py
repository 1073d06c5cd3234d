"""What is to be known of packs."""

from pack_action import PackAction


class GetPackWarnings(PackAction):
    """`packs.get_pack_warnings`."""

    def run(self, packs_status):
        """Looks into their metadata."""
        return True, {"warning_list": self.packs().warnings(list(packs_status or {}))}
