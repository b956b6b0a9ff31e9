"""What a refusal says about the address: that it is dead, full for now, or only not liked.

Only a mailbox that does not exist is a reason never to write again. Who was refused by a rule of
the receiving side (RFC 3463 §3.8, x.7.x) exists and has done nothing.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Weight(StrEnum):
    """How much a refusal says about a point."""

    #: There is no such mailbox: never write to it again.
    HARD = "hard"
    #: It exists and cannot take mail now: full, switched off, delayed.
    SOFT = "soft"
    #: The shop or the letter was not liked; the person has nothing to do with it.
    POLICY = "policy"
    #: Nothing about the point: a template of the provider, a broken connection.
    NONE = "none"


#: RFC 3463: class, subject, detail.
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")
_FULL = re.compile(
    r"\b(?:full|over\s*quota|quota|insufficient (?:system )?storage)\b", re.IGNORECASE
)
_POLICY = re.compile(
    r"\b(?:spam|spf|dkim|dmarc|policy|policies|blocked|blacklist\w*|blocklist\w*|block list"
    r"|denylist\w*|reputation|spamhaus|barracuda|banned|relay\w*|rate limit\w*|too many"
    r"|content rejected|unsolicited|authenticat\w*|denied|not authori[sz]ed)\b",
    re.IGNORECASE,
)
#: How servers without enhanced codes say that there is nobody.
_NOBODY = re.compile(
    r"\b(?:unknown (?:user|recipient|mailbox|address)|(?:user|recipient|mailbox|address|account)"
    r"(?: \S+)? (?:is )?(?:unknown|not found|unavailable permanently)|no such (?:user|recipient"
    r"|mailbox|person|address|account)|(?:does not|doesn['’]t|not) exist|no mailbox"
    r"|invalid (?:recipient|mailbox|user|address)|not a valid (?:mailbox|recipient|user)"
    r"|(?:user|mailbox|recipient|account)(?: \S+)? (?:has been )?(?:disabled|deleted|closed"
    r"|inactive|discontinued))\b",
    re.IGNORECASE,
)


def weigh(text: str, *, code: int = 0) -> Weight:
    """Say what a mail server's refusal means for the address.

    `code` is the SMTP reply code where it is known apart from the text, as 550. The enhanced code
    decides where there is one; else the words do.
    """
    enhanced = _ENHANCED.search(text)
    if enhanced is not None:
        kind, subject, detail = (int(part) for part in enhanced.groups())
        if kind == 2:
            return Weight.NONE
        if subject == 7:
            return Weight.POLICY
        if kind == 4:
            return Weight.SOFT
        return _permanent(subject, detail, text)
    reply = code or int((_REPLY.search(text) or [0, 0])[1])
    if reply and not 400 <= reply <= 599:
        return Weight.NONE
    if _FULL.search(text) or reply == 552:
        return Weight.SOFT
    if 400 <= reply <= 499:
        return Weight.SOFT
    if _NOBODY.search(text):
        return Weight.HARD
    if _POLICY.search(text) or reply == 554:
        return Weight.POLICY
    return Weight.NONE


def _permanent(subject: int, detail: int, text: str) -> Weight:
    """Weigh 5.x.x: the address (1), the mailbox (2), and what says nothing about either."""
    if subject == 1:
        # 5.1.7 and 5.1.8 speak of the sender's address, 5.1.9 of what the server can do.
        return Weight.NONE if detail in (7, 8, 9) else Weight.HARD
    if subject == 2:
        # 5.2.1: disabled, not accepting; 5.2.2: full; 5.2.3: the letter is too long for it.
        return Weight.SOFT if detail in (1, 2) else Weight.NONE
    if subject == 0:
        return weigh(_ENHANCED.sub("", text), code=550)
    # 5.4.1 is what a large provider says of an address that its directory does not know.
    if (subject, detail) == (4, 1) and _NOBODY.search(text):
        return Weight.HARD
    return Weight.NONE
