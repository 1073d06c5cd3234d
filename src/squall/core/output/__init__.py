"""The forms of output: journal records, lines, masking, sealed journals."""
