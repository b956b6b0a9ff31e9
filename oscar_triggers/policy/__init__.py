"""May we write to this person, on this channel, now?"""
