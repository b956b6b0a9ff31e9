"""People in the admin: finding one, reading all that is known, and acting for them with a reason."""
