"""The keeper itself: one epoll loop that runs the actions. Standard library only."""
