"""What the demo is made of: a throw-away shop, people who walk through it, and evidence."""
