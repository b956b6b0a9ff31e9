"""Rows and tiny queries."""

from .base import PrimaryModel
from .columns import name_columns
from .companions import ProductPair
from .consent import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Suppression,
    SuppressionReason,
)
from .contacts import Contact, ContactPoint, ContactTag, point_hash, random_id
from .crowds import LetterState, OneOffLetter, SavedSegment
from .enrollments import Assignment, Enrollment, EnrollmentState, ExitReason
from .flows import (
    RUNNING,
    Flow,
    FlowState,
    FlowVersion,
    Owner,
    Step,
    Stream,
    Template,
    TemplateVersion,
)
from .journal import BasketWatch, JournalEntry, Pulse, VoucherGrant
from .messages import (
    Decision,
    Dispatch,
    DispatchState,
    Feedback,
    Message,
    MessageItem,
    MessageState,
)
from .operations import (
    INSTALLATION_ID,
    Alarm,
    Allowance,
    Breaker,
    BreakerState,
    Installation,
)
from .returns import Conversion, DailyTotal, Hit, HitClass, ProviderReport
from .rolls import SegmentMember, SegmentRoll
from .stock import (
    OfferSnapshot,
    PriceSeen,
    PriceSource,
    StockCause,
    StockChange,
    StockMark,
    StockSnapshot,
)
from .wishes import (
    OPEN_REQUESTS,
    OrderWatch,
    ProductRequest,
    RequestKind,
    RequestState,
    SurveyAnswer,
)

__all__ = [
    "ALL_TOPICS",
    "INSTALLATION_ID",
    "OPEN_REQUESTS",
    "RUNNING",
    "Alarm",
    "Allowance",
    "Assignment",
    "BasketWatch",
    "Breaker",
    "BreakerState",
    "ConsentAction",
    "ConsentBasis",
    "ConsentEvent",
    "Contact",
    "ContactPoint",
    "ContactTag",
    "Conversion",
    "DailyTotal",
    "Decision",
    "Dispatch",
    "DispatchState",
    "Enrollment",
    "EnrollmentState",
    "ExitReason",
    "Feedback",
    "Flow",
    "FlowState",
    "FlowVersion",
    "Hit",
    "HitClass",
    "Installation",
    "JournalEntry",
    "LetterState",
    "Message",
    "MessageItem",
    "MessageState",
    "OfferSnapshot",
    "OneOffLetter",
    "OrderWatch",
    "Owner",
    "PriceSeen",
    "PriceSource",
    "ProductPair",
    "ProductRequest",
    "ProviderReport",
    "Pulse",
    "RequestKind",
    "RequestState",
    "SavedSegment",
    "SegmentMember",
    "SegmentRoll",
    "Step",
    "StockCause",
    "StockChange",
    "StockMark",
    "StockSnapshot",
    "Stream",
    "Suppression",
    "SuppressionReason",
    "SurveyAnswer",
    "Template",
    "TemplateVersion",
    "VoucherGrant",
    "point_hash",
    "random_id",
]

name_columns(PrimaryModel)
