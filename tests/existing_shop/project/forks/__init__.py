"""Oscar's apps as this shop changed them; made by `oscar_fork_app`."""
