"""What a shop adds by itself: an app of a third party, for the docs and the tests."""
