"""The processes of actions with all their descendants: finds and kills them."""
