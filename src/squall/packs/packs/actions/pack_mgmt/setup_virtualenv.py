"""Makes the virtualenvs of packs."""

from pack_action import PackAction


class SetupVirtualenv(PackAction):
    """`packs.setup_virtualenv`."""

    def run(
        self,
        packs=None,
        update=False,
        no_download=True,
        env=None,
        python=None,
        python_packs=None,
        installation=None,
    ):
        """Makes them, one after the other."""
        installer = self.packs(env, installation)
        for ref in packs or []:
            is_meant = python_packs is None or ref in python_packs
            installer.setup_virtualenv(ref, (python or None) if is_meant else None)
        return True, "Successfully set up virtualenv for the following packs: " + ", ".join(packs or [])
