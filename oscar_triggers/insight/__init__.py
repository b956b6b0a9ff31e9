"""What came of it, and how the engine is: measures, decides nothing."""
