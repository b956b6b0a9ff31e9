"""Oscar's migrations are copied here, as oscar_fork_app does."""
