"""The parts of the dashboard, each as plain values for its template."""
