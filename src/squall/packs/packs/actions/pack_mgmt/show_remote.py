"""What the index says of a pack."""

from pack_action import PackAction


class ShowRemote(PackAction):
    """`packs.show`: `pack` is null when the index does not have it."""

    def run(self, pack):
        """Asks the server for it."""
        return True, {"pack": self.call("POST", "/packs/index/search", {"pack": pack})}
