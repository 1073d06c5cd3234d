"""What is installed of a pack."""

from pack_action import PackAction


class GetInstalled(PackAction):
    """`packs.get`: `pack` is what its pack.yaml says, `git_status` how its repository is; null without one."""

    def run(self, pack, branch="master"):
        """Looks at it."""
        return True, self.packs().status(pack, branch)
