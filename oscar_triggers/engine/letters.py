"""Letters: choosing the text, gathering the values and filling one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from typing import Any

from .. import channels
from ..channels import Parcel
from ..conf import SiteSettings, site_settings, triggers_settings
from ..content import context, headers, links, rendering, tags, targets, wire
from ..content.letters import kept
from ..content.values import to_json as values_to_json
from ..models import Contact, Dispatch, Message, TemplateVersion
from ..snapshots import Subject
from . import bundling, incentives, parcels, tagging, templates


@dataclass(frozen=True, kw_only=True)
class Job:
    """A message to be composed for one dispatch."""

    dispatch: Dispatch
    message: Message
    contact: Contact
    subject: Subject
    #: The point to write to.
    to: str
    #: The others for whom a bundle speaks.
    others: tuple[Subject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A message that is ready to be handed over."""

    parcel: Parcel
    template_version_id: int
    #: What the letter was filled with, as JSON: the erasable payload of the message.
    payload: Mapping[str, Any]
    #: What guards compare at the hand-over.
    observed: Mapping[str, Any] = field(default_factory=dict)
    #: Whose values stand at the top level, and who else has something to say in a bundle, with
    #: what was observed for each.
    subject: Subject
    others: tuple[tuple[Subject, Mapping[str, Any]], ...] = ()


@dataclass(frozen=True, kw_only=True)
class NothingToSay:
    """There is nothing (any more) that the letter could be about, or to promise."""

    reason: str
    #: Which rule spoke, and what it compared.
    rule: str = "content"
    compared: Mapping[str, Any] = field(default_factory=dict)


class Desk:
    """Composes the letters of one batch; templates are looked up once each."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._versions: dict[tuple[int, str], TemplateVersion] = {}
        self._bytes: dict[str, bool] = {}
        #: What Voucher steps granted, by enrollment.
        self._granted: Mapping[int, Mapping[str, Any]] = {}

    def compose_many(self, jobs: Sequence[Job]) -> list[Composed | NothingToSay]:
        """Compose a batch, in its order; the shop is asked once for all of them."""
        asked = [subject for job in jobs for subject in (job.subject, *job.others)]
        given = iter(zip(asked, context.provide_many(asked, self.now), strict=True))
        self._granted = incentives.granted_to([one.enrollment_id for one in asked])
        return [
            self.compose(job, [next(given) for _subject in (job.subject, *job.others)])
            for job in jobs
        ]

    def compose(
        self, job: Job, gathered: Sequence[tuple[Subject, context.Provided]]
    ) -> Composed | NothingToSay:
        """Fill one letter: the first who has something to say speaks, the rest are its items."""
        saying = [(subject, one) for subject, one in gathered if not one.unavailable]
        if not saying:
            return NothingToSay(reason=gathered[0][1].unavailable)
        (subject, given), *others = saying
        template_id = job.message.template_id
        assert template_id is not None
        version = self.version(template_id, job.contact.language)
        site = site_settings(job.subject.site_id)
        promised = self._promised(job, subject)
        if isinstance(promised, NothingToSay):
            return promised
        values = {
            **context.merge(given.values, _common_values(job.message, job.contact, site)),
            **promised,
        }
        if bundling.OPTION in job.message.options:
            values[tags.ITEMS] = [dict(one.values) for _subject, one in saying]
        composed = self._fill(job, version, values, given.observed, site)
        return replace(
            composed,
            subject=subject,
            others=tuple((other, one.observed) for other, one in others),
        )

    def version(self, template_id: int, language: str) -> TemplateVersion:
        """Return the live text of a template in a language, looked up once a batch."""
        key = (template_id, language)
        if key not in self._versions:
            self._versions[key] = templates.live_by_id(template_id, language)
        return self._versions[key]

    def _takes_bytes(self, kind: str) -> bool:
        if kind not in self._bytes:
            self._bytes[kind] = channels.get(kind).takes_bytes()
        return self._bytes[kind]

    def _promised(self, job: Job, subject: Subject) -> Mapping[str, Any] | NothingToSay:
        promised: dict[str, Any] = {}
        if subject.enrollment_id in self._granted:
            promised[incentives.VOUCHER] = self._granted[subject.enrollment_id]
        for name, incentive in incentives.registry.items():
            options = job.message.options.get(name)
            if options and (job.message.is_shadow or subject.is_shadow):
                promised[name] = incentives.rehearse(incentive, options, self.now)
            elif options:
                granted = incentive.grant(job.message.pk, job.contact.pk, options, self.now)
                if isinstance(granted, incentives.Limited):
                    return NothingToSay(
                        reason=incentives.INCENTIVE_LIMIT, rule=name, compared=granted.compared
                    )
                promised[name] = granted
        return promised

    def _fill(
        self,
        job: Job,
        version: TemplateVersion,
        values: Mapping[str, Any],
        observed: Mapping[str, Any],
        site: SiteSettings,
    ) -> Composed:
        compiled = kept((version.pk, version.content_hash), lambda: version.compiled)
        sender = site.senders[job.message.stream]
        fields = headers.letter_headers(
            stream=job.message.stream,
            public_id=job.message.public_id,
            base_url=site.base_url,
            topic=job.message.topic,
            flow_key=job.subject.flow_key,
            date=self.now,
        )
        language, time_zone = version.language, job.contact.time_zone
        begin = _links_of(job, site)
        fill = partial(
            rendering.fill, compiled, values, language=language, time_zone=time_zone, links=begin
        )
        reply_to = str(job.message.options.get("reply_to") or sender.reply_to)
        parcel = parcels.FilledParcel(
            fill=fill,
            dispatch_id=job.dispatch.pk,
            to=job.to,
            from_=sender.from_email,
            reply_to=reply_to,
            headers=fields,
            raw=cache(
                partial(
                    wire.wire_bytes,
                    compiled,
                    values,
                    fields,
                    from_=sender.from_email,
                    to=job.to,
                    reply_to=reply_to,
                    language=language,
                    time_zone=time_zone,
                    links=begin,
                )
            ),
            metadata={"message": job.message.public_id, "flow": job.subject.flow_key},
        )
        # Filled now, in the form that the channel takes: what does not fit fails before the mark.
        if parcel.raw is not None and self._takes_bytes(job.dispatch.channel):
            parcel.raw()
        else:
            _ = parcel.text
        return Composed(
            parcel=parcel,
            template_version_id=version.pk,
            payload={"values": values_to_json(values), "time_zone": time_zone},
            observed=observed,
            subject=job.subject,
        )


def _links_of(job: Job, site: SiteSettings) -> targets.Begin | None:
    """Return what becomes of a letter's links: through the shop, where clicks are seen."""
    if triggers_settings().track_clicks:
        prefix = links.click_prefix(site.base_url, job.message.public_id)
        return partial(targets.Numbered, prefix)
    parameters = tagging.parameters_of(
        job.message, flow_key=job.subject.flow_key, channel=job.dispatch.channel
    )
    return partial(targets.Tagged, parameters, site.base_url) if parameters else None


def _common_values(message: Message, contact: Contact, site: SiteSettings) -> dict[str, Any]:
    return {
        "contact": {"first_name": contact.first_name, "last_name": contact.last_name},
        "shop": {
            "name": site.shop_name,
            "url": site.base_url,
            "postal_address": site.postal_address,
        },
        "links": {
            "unsubscribe": links.unsubscribe_url(site.base_url, message.public_id),
            "basket": (
                links.basket_url(site.base_url, message.public_id)
                if message.about_type == "basket"
                else ""
            ),
        },
    }
