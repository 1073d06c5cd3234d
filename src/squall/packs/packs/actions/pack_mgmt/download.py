"""Fetches packs."""

from pack_action import PackAction


class Download(PackAction):
    """`packs.download`: `Success.` by ref."""

    def run(
        self,
        packs,
        abs_repo_base=None,
        verifyssl=True,
        force=False,
        dependency_list=None,
        stage=False,
        installation=None,
    ):
        """Fetches them."""
        env = {} if verifyssl else {"GIT_SSL_NO_VERIFY": "true"}
        return True, self.packs(env, installation).download(dependency_list or packs, force, stage)
