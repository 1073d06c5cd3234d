"""Looks for packs in the index."""

from pack_action import PackAction


class Search(PackAction):
    """`packs.search`."""

    def run(self, query):
        """Asks the server for it."""
        return True, self.call("POST", "/packs/index/search", {"query": query})
