"""The verbs: record, publish, enroll, send; all of them driven by the clockwork."""
