"""Reads the journals: from files below one folder, woken by inotify."""
