"""Runners of commands and PowerShell on Windows hosts, over WinRM."""
