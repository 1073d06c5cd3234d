"""Forgets the content of packs."""

from pack_action import PackAction

from squall.core.names import pack_name


class Unload(PackAction):
    """`packs.unload`."""

    def run(self, packs):
        """Asks the server for it. Nothing is forgotten if one of them is no name of a pack, or if there is no such
        pack."""
        refs = [pack_name(ref) for ref in packs]
        unknown = [ref for ref in refs if self.call("GET", "/packs/" + ref, missing=True) is None]
        self.packs().check_removable(unknown)
        for ref in refs:
            self.call("DELETE", "/packs/" + ref, missing=True)
        return True, dict.fromkeys(packs, "Success.")
