"""Compares stored journals with their checksums and with what the database knows."""
