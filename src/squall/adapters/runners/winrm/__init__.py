"""Commands and PowerShell on Windows hosts, over WinRM."""
