"""Personal data in Draftail: an entity that is stored as `<a linktype="merge" …>`."""

from __future__ import annotations

from typing import Any

from django.urls import reverse_lazy
from django.utils.translation import pgettext_lazy
from draftjs_exporter.dom import DOM
from wagtail.admin.rich_text.converters.html_to_contentstate import InlineEntityElementHandler
from wagtail.admin.rich_text.editors.draftail.features import EntityFeature
from wagtail.rich_text.feature_registry import FeatureRegistry

from oscar_triggers.content import tags

MERGE = "merge"
TYPE = "MERGE"


def label_of(path: str) -> str:
    """Return what editors call a merge tag, in their language; its path where nobody knows it."""
    return str(tags.registry.get(path).label) if path in tags.registry else path


class MergeElementHandler(InlineEntityElementHandler):
    """Reads a stored merge tag into the editor."""

    mutability = "IMMUTABLE"

    def get_attribute_data(self, attrs: dict[str, str]) -> dict[str, str]:
        """Return what the editor keeps of it."""
        path = attrs.get("data-merge", "")
        return {"path": path, "default": attrs.get("data-default", ""), "label": label_of(path)}


def merge_decorator(props: dict[str, Any]) -> Any:
    """Write a merge tag of the editor as it is stored."""
    path = str(props.get("path") or "")
    stored = {"linktype": MERGE, "data-merge": path}
    if props.get("default"):
        stored["data-default"] = str(props["default"])
    return DOM.create_element("a", stored, props.get("children"))


def register_merge_feature(features: FeatureRegistry) -> None:
    """Offer personal data in rich text whose features name "merge"."""
    features.register_editor_plugin(
        "draftail",
        MERGE,
        EntityFeature(
            {
                "type": TYPE,
                "icon": "user",
                "description": pgettext_lazy("triggers", "Personal data"),
                "url": reverse_lazy("wagtail_triggers:merge_tags"),
            },
            js=["wagtail_triggers/merge_tags.js", "wagtail_triggers/merge_entity.js"],
            css={"all": ["wagtail_triggers/merge_tags.css"]},
        ),
    )
    features.register_converter_rule(
        "contentstate",
        MERGE,
        {
            "from_database_format": {f'a[linktype="{MERGE}"]': MergeElementHandler(TYPE)},
            "to_database_format": {"entity_decorators": {TYPE: merge_decorator}},
        },
    )
