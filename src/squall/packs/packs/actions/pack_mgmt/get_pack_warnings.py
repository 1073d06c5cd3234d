"""What is to be known of packs."""

from pack_action import PackAction


class GetPackWarnings(PackAction):
    """`packs.get_pack_warnings`."""

    def run(self, packs_status, installation=None):
        """Looks into their metadata, and imports what their actions and sensors run."""
        packs, refs = self.packs(installation=installation), list(packs_status or {})
        warnings = packs.warnings(refs)
        for ref in refs:
            warnings += packs.import_faults(ref)
        for warning in warnings:
            print(f"WARNING: {warning}", flush=True)
        return True, {"warning_list": warnings}
