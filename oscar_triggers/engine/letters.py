"""Letters: choosing the text, gathering the values and filling one in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from .. import channels
from ..channels import Parcel
from ..conf import Sender, SiteSettings, site_settings, triggers_settings
from ..content import context, headers, links, rendering, tags, targets, wire
from ..content.letters import kept
from ..content.values import formatter
from ..content.values import to_json as values_to_json
from ..models import Contact, Dispatch, Message, TemplateVersion
from ..policy import senders
from ..snapshots import Subject
from . import bundling, incentives, parcels, plans, tagging, templates


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
    #: What it was meant to promise and does not.
    withheld: NothingToSay | None = None


@dataclass(frozen=True, kw_only=True)
class NothingToSay:
    """There is nothing (any more) that the letter could be about, or to promise."""

    reason: str
    #: Which rule spoke, and what it compared.
    rule: str = "content"
    compared: Mapping[str, Any] = field(default_factory=dict)
    #: The letter is worth sending without what it was meant to promise.
    is_sent_all_the_same: bool = False


class _Shop:
    """What all letters of one site have in common, found once for a batch."""

    def __init__(self, site: SiteSettings) -> None:
        self.site = site
        self.addresses = links.Addresses(site.base_url)
        ascii_url = headers.ascii_url(site.base_url)
        #: Mailboxes want the header's address in ASCII.
        self.ascii_addresses = (
            self.addresses if ascii_url == site.base_url else links.Addresses(ascii_url)
        )
        self.said = {
            "name": site.shop_name,
            "url": site.base_url,
            "postal_address": site.postal_address,
        }


class Desk:
    """Composes the letters of one batch; templates are looked up once each."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._versions: dict[tuple[int, str], TemplateVersion] = {}
        self._bytes: dict[str, bool] = {}
        self._shops: dict[int | None, _Shop] = {}
        self._senders: dict[tuple[int | None, str, str, str], Sender] = {}
        #: What Voucher steps granted, by enrollment.
        self._granted: Mapping[int, Mapping[str, Any]] = {}

    def compose_many(self, jobs: Sequence[Job]) -> list[Composed | NothingToSay]:
        """Compose a batch, in its order; the shop is asked once for all of them."""
        self._shops.clear()
        self._senders.clear()
        wanted = [
            context.Wanted(subject=subject, paths=paths, message_id=job.message.pk)
            for job in jobs
            for paths in [self._paths(job)]
            for subject in (job.subject, *job.others)
        ]
        asked = [one.subject for one in wanted]
        given = iter(zip(asked, context.provide_wanted(wanted, self.now), strict=True))
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
            silent = gathered[0][1]
            return NothingToSay(reason=silent.unavailable, compared=silent.compared)
        (subject, given), *others = saying
        template_id = job.message.template_id
        assert template_id is not None
        version = self.version(template_id, job.contact.language)
        promised, withheld = self._promised(job, subject)
        if withheld is not None and not withheld.is_sent_all_the_same:
            return withheld
        shop = self._shop(job.subject.site_id)
        values = {
            **context.merge(given.values, _common_values(job.message, job.contact, shop)),
            **_counted(promised, version.language, job.contact.time_zone, self.now),
        }
        if bundling.OPTION in job.message.options:
            values[tags.ITEMS] = [dict(one.values) for _subject, one in saying]
        return Composed(
            parcel=self._fill(job, version, values, shop),
            template_version_id=version.pk,
            payload={"values": values_to_json(values), "time_zone": job.contact.time_zone},
            observed=given.observed,
            subject=subject,
            others=tuple((other, one.observed) for other, one in others),
            withheld=withheld,
        )

    def version(self, template_id: int, language: str) -> TemplateVersion:
        """Return the live text of a template in a language, looked up once a batch."""
        key = (template_id, language)
        if key not in self._versions:
            self._versions[key] = templates.live_by_id(template_id, language)
        return self._versions[key]

    def _shop(self, site_id: int | None) -> _Shop:
        if site_id not in self._shops:
            self._shops[site_id] = _Shop(site_settings(site_id))
        return self._shops[site_id]

    def _paths(self, job: Job) -> frozenset[str]:
        """Return what a letter says, of each thing that a bundle is about too."""
        assert job.message.template_id is not None
        version = self.version(job.message.template_id, job.contact.language)
        compiled = kept((version.pk, version.content_hash), lambda: version.compiled)
        return compiled.said

    def _sender(self, job: Job, language: str) -> Sender:
        """Return who the letter is from, looked up once for each site, stream, language and flow."""
        message = job.message
        flow = message.flow
        chosen = ""
        if flow is not None and flow.live_version is not None:
            chosen = plans.plan_of(flow.live_version).definition.sender
        key = (job.subject.site_id, message.stream, language, chosen)
        if key not in self._senders:
            self._senders[key] = senders.resolve(*key)
        return self._senders[key]

    def _takes_bytes(self, kind: str) -> bool:
        if kind not in self._bytes:
            self._bytes[kind] = channels.get(kind).takes_bytes()
        return self._bytes[kind]

    def _promised(
        self, job: Job, subject: Subject
    ) -> tuple[Mapping[str, Any], NothingToSay | None]:
        """Return what a letter promises, and what it was meant to promise and may not."""
        promised: dict[str, Any] = {}
        withheld = None
        if subject.enrollment_id in self._granted:
            promised[incentives.VOUCHER] = self._granted[subject.enrollment_id]
        for name, incentive in incentives.registry.items():
            options = job.message.options.get(name)
            if options and (job.message.is_shadow or subject.is_shadow):
                promised[name] = incentives.rehearse(incentive, options, self.now)
            elif options:
                granted = incentive.grant(job.message.pk, job.contact.pk, options, self.now)
                if isinstance(granted, incentives.Limited):
                    withheld = NothingToSay(
                        reason=granted.reason,
                        rule=name,
                        compared=granted.compared,
                        is_sent_all_the_same=options.get(incentives.WITHOUT)
                        == incentives.SEND_WITHOUT,
                    )
                    if not withheld.is_sent_all_the_same:
                        break
                else:
                    promised[name] = granted
        return promised, withheld

    def _fill(
        self, job: Job, version: TemplateVersion, values: Mapping[str, Any], shop: _Shop
    ) -> Parcel:
        """Fill a letter in the form that its channel takes: what does not fit fails here."""
        message = job.message
        compiled = kept((version.pk, version.content_hash), lambda: version.compiled)
        sender = self._sender(job, version.language)
        fields = headers.letter_headers(
            stream=message.stream,
            public_id=message.public_id,
            base_url=shop.site.base_url,
            topic=message.topic,
            flow_key=job.subject.flow_key,
            date=self.now,
            unsubscribe_url=shop.ascii_addresses.unsubscribe(message.public_id),
        )
        how: dict[str, Any] = {
            "language": version.language,
            "time_zone": job.contact.time_zone,
            "links": _links_of(job, shop),
        }
        reply_to = str(message.options.get("reply_to") or sender.reply_to)
        takes_bytes = self._takes_bytes(job.dispatch.channel)
        fill = partial(
            wire.filled,
            compiled,
            values,
            fields,
            from_=sender.from_email,
            to=job.to,
            reply_to=reply_to,
            **how,
        )
        # What does not fit must fail now; a channel that takes no bytes may never ask for them.
        raw = fill() if takes_bytes else parcels.Later(fill)
        parcel = parcels.FilledParcel(
            fill=partial(rendering.fill, compiled, values, **how),
            dispatch_id=job.dispatch.pk,
            to=job.to,
            from_=sender.from_email,
            reply_to=reply_to,
            headers=fields,
            raw=raw,
            metadata={"message": message.public_id, "flow": job.subject.flow_key},
        )
        if not takes_bytes:
            _ = parcel.text
        return parcel


def _counted(
    promised: Mapping[str, Any], language: str, time_zone: str, now: datetime
) -> dict[str, Any]:
    """Return promises with the days that each is still good for, by the reader's clock."""
    form = formatter(language, time_zone)
    return {
        name: {**values, "days_left": form.days_left(values["expires"], now)}
        if isinstance(values.get("expires"), datetime)
        else values
        for name, values in promised.items()
    }


def _links_of(job: Job, shop: _Shop) -> targets.Begin | None:
    """Return what becomes of a letter's links: through the shop, where clicks are seen."""
    if triggers_settings().track_clicks:
        prefix = shop.addresses.click_prefix(job.message.public_id)
        return partial(targets.Numbered, prefix)
    parameters = tagging.parameters_of(
        job.message, flow_key=job.subject.flow_key, channel=job.dispatch.channel
    )
    return partial(targets.Tagged, parameters, shop.site.base_url) if parameters else None


def _common_values(message: Message, contact: Contact, shop: _Shop) -> dict[str, Any]:
    about_basket = message.about_type == "basket"
    return {
        "contact": {"first_name": contact.first_name, "last_name": contact.last_name},
        "shop": shop.said,
        "links": {
            "unsubscribe": shop.addresses.unsubscribe(message.public_id),
            "preferences": shop.addresses.preferences(message.public_id),
            "basket": shop.addresses.basket(message.public_id) if about_basket else "",
        },
    }
