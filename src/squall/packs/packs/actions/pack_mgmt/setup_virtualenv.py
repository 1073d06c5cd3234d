"""Makes the virtualenvs of packs."""

from pack_action import PackAction


class SetupVirtualenv(PackAction):
    """`packs.setup_virtualenv`."""

    def run(self, packs=None, update=False, no_download=True, env=None):
        """Makes them, one after the other."""
        installer = self.packs(env)
        for ref in packs or []:
            installer.setup_virtualenv(ref)
        return True, "Successfully set up virtualenv for the following packs: " + ", ".join(packs or [])
