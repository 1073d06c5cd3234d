"""Uses packs that were fetched, and registers them."""

from pack_action import PackAction


class Register(PackAction):
    """`packs.load`: how many there are of each kind of content."""

    def run(self, register="all", packs=None, installation=None):
        """Asks the server for it."""
        body = {"types": [kind for kind in register.split(",") if kind], "activate": True, "installation": installation}
        reply = self.call("POST", "/packs/register", {**body, "packs": packs} if packs else body)
        for text in reply.get("left_out") or []:
            print(f"WARNING: left out: {text}", flush=True)
        for text in reply.get("warnings") or []:
            print(f"WARNING: {text}", flush=True)
        return True, reply
