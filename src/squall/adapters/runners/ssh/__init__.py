"""Actions on other machines over SSH."""
