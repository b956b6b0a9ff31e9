"""Rows and tiny queries."""

from .base import PrimaryModel
from .columns import name_columns
from .consent import (
    ALL_TOPICS,
    ConsentAction,
    ConsentBasis,
    ConsentEvent,
    Suppression,
    SuppressionReason,
)
from .contacts import Contact, ContactPoint, point_hash, random_id
from .enrollments import Enrollment, EnrollmentState, ExitReason
from .flows import Flow, FlowState, FlowVersion, Owner, Step, Stream, Template, TemplateVersion
from .journal import BasketWatch, JournalEntry, Pulse, VoucherGrant
from .messages import Decision, Dispatch, DispatchState, Message, MessageItem, MessageState

__all__ = [
    "ALL_TOPICS",
    "BasketWatch",
    "ConsentAction",
    "ConsentBasis",
    "ConsentEvent",
    "Contact",
    "ContactPoint",
    "Decision",
    "Dispatch",
    "DispatchState",
    "Enrollment",
    "EnrollmentState",
    "ExitReason",
    "Flow",
    "FlowState",
    "FlowVersion",
    "JournalEntry",
    "Message",
    "MessageItem",
    "MessageState",
    "Owner",
    "Pulse",
    "Step",
    "Stream",
    "Suppression",
    "SuppressionReason",
    "Template",
    "TemplateVersion",
    "VoucherGrant",
    "point_hash",
    "random_id",
]

name_columns(PrimaryModel)
