"""Forgets the content of packs."""

from pack_action import PackAction


class Unload(PackAction):
    """`packs.unload`."""

    def run(self, packs):
        """Asks the server for it."""
        for ref in packs:
            self.call("DELETE", "/packs/" + ref, missing=True)
        return True, dict.fromkeys(packs, "Success.")
