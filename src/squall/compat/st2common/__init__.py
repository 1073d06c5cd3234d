"""Names that packs import."""
