"""Drafts; what runs is the engine's."""

from .brands import LetterBrand
from .flows import FlowDraft
from .templates import TemplateDraft

__all__ = ["FlowDraft", "LetterBrand", "TemplateDraft"]
