"""A project that forgot to include the engine."""

urlpatterns: list[object] = []
