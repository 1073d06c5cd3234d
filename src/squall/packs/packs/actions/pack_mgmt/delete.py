"""Removes the files of packs."""

from pack_action import PackAction


class Delete(PackAction):
    """`packs.delete`."""

    def run(self, packs, abs_repo_base=None, delete_env=True):
        """Removes them."""
        self.packs().delete(packs, delete_env)
        return True, dict.fromkeys(packs, "Success.")
