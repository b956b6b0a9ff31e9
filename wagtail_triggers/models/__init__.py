"""Drafts; what runs is the engine's."""

from .flows import FlowDraft
from .templates import TemplateDraft

__all__ = ["FlowDraft", "TemplateDraft"]
