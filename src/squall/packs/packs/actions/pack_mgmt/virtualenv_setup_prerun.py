"""The packs that need virtualenvs."""

from st2common.runners.base_action import Action


class VirtualenvSetupPrerun(Action):
    """`packs.virtualenv_prerun`: the refs so far, and those that were fetched."""

    def run(self, packs_status=None, packs_list=None):
        """Joins both lists."""
        known = list(packs_list or [])
        return known + [ref for ref in (packs_status or {}) if ref not in known]
