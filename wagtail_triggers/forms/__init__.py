"""The forms of drafts: what may be saved, and what may be published."""
