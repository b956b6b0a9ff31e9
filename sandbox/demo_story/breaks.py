"""Ways to break the demo on purpose."""

from __future__ import annotations

#: An order that the story counts on is never placed.
ORDER = "order"
#: A guest who should have agreed to letters has not.
CONSENT = "consent"
#: The mail server refuses every letter.
SMTP = "smtp"
BREAKS = (ORDER, CONSENT, SMTP)
