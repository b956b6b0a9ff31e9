"""The e-mail channel tells the truth about every letter, whatever the mail server does."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import django
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from django.core import mail

from oscar_triggers import channels
from oscar_triggers.builtin.email import EmailChannel, LetterMessage
from oscar_triggers.channels import Outcome, Parcel, Receipt
from oscar_triggers.content import headers, rendering, wire
from tests.content.letters import compiled, in_column, parsed, part, values
from tests.mail import use_backend, use_email_settings

OURS = "oscar_triggers.builtin.smtp.EmailBackend"
DJANGOS = "django.core.mail.backends.smtp.EmailBackend"
LONG_BASE = "https://a-shop-with-a-very-long-name-indeed.department.example"
LONG_URL = f"<https://shop.example/{'x' * 120}>"


@dataclass(kw_only=True)
class Server:
    """A real SMTP server that can be told to misbehave."""

    port: int = 0
    received: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    connections: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    #: Ends the connection without a word: "MAIL", "DATA" (before 354) or "CONTENT".
    hang_up_at: str = ""
    #: How often it still does so.
    hang_ups: int = 1
    #: How many letters it takes before that.
    patience: int = 0
    #: Seconds of silence after the text of a letter.
    silence: float = 0.0
    pipelining: bool = True

    def _hangs_up(self, server: SMTP, stage: str) -> bool:
        if self.hang_up_at != stage or not self.hang_ups:
            return False
        if self.patience:
            self.patience -= 1
            return False
        self.hang_ups -= 1
        server.transport.abort()
        return True

    async def handle_EHLO(  # noqa: N802 - aiosmtpd names its hooks after SMTP's verbs
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        # The first line is a greeting, not an extension.
        more = ["250-PIPELINING"] if self.pipelining else []
        return [*responses[:1], *more, *responses[1:]]

    async def handle_MAIL(  # noqa: N802 - see above
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self._hangs_up(server, "MAIL"):
            return "421 gone"
        if "MAIL" in self.replies:
            return self.replies["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - see above
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        for name, reply in self.replies.items():
            if "@" in name and address == name:
                return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - see above
        if self._hangs_up(server, "CONTENT"):
            return "451 gone"
        if self.silence:
            await asyncio.sleep(self.silence)
        if "CONTENT" in self.replies:
            return self.replies["CONTENT"]
        self.received.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 queued as 4711"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        # The base class connects to the port it was given, which is 0 here.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture(params=[OURS, DJANGOS], ids=["ours", "django's"])
def backend(request: pytest.FixtureRequest) -> str:
    """Return the path of an SMTP backend."""
    path: str = request.param
    return path


@pytest.fixture
def server(backend: str, settings: Any) -> Iterator[Server]:
    """Run a server and send Django's mail to it."""
    running = Server()
    controller = _Controller(running, hostname="127.0.0.1", port=0)
    controller.start()
    running.port = controller.port
    running.connections = 0
    use_backend(settings, backend, host="127.0.0.1", port=running.port, timeout=2)
    try:
        yield running
    finally:
        controller.stop()


LETTER = compiled(
    in_column("<mj-text>Привет, {{ contact.first_name }}!<br>.<br>..dots</mj-text>"),
    subject="Привет, {{ contact.first_name }}",
)


def parcel(
    number: int = 1, to: str = "anna@mail.example", more: Mapping[str, str] | None = None
) -> Parcel:
    """Return a letter for somebody."""
    given = values(contact={"first_name": "Анна"})
    filled = rendering.fill(LETTER, given, language="ru", time_zone="")
    fields = {
        "Message-ID": f"<m{number}@shop.example>",
        "Date": "Sat, 05 Dec 2026 10:00:00 +0000",
        "List-Unsubscribe": LONG_URL,
        **(more or {}),
    }
    return Parcel(
        dispatch_id=number,
        to=to,
        from_="Лавка <shop@shop.example>",
        reply_to="Mary <mary@shop.example>",
        subject=filled.subject,
        text=filled.text,
        html=filled.html,
        headers=fields,
        raw=lambda: wire.wire_bytes(
            LETTER,
            given,
            fields,
            from_="Лавка <shop@shop.example>",
            to=to,
            reply_to="Mary <mary@shop.example>",
            language="ru",
        ),
        metadata={"message": f"m{number}", "flow": "abandoned-basket"},
    )


def send(*parcels: Parcel) -> list[Receipt]:
    """Send some letters as the engine does, in one group."""
    channel = channels.get("email")
    try:
        return channel.send_many(parcels)
    finally:
        channel.close()


def test_a_letter_arrives_as_it_was_written(server: Server) -> None:
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.SENT, receipt
    assert receipt.provider_id == "m1@shop.example"
    [(sender, to, raw)] = server.received
    assert (sender, to) == ("shop@shop.example", ["anna@mail.example"])
    message = parsed(raw)
    assert message["Subject"] == "Привет, Анна"
    assert message["Reply-To"] == "Mary <mary@shop.example>"
    assert "Привет, Анна!" in part(message, "html")
    assert part(message, "plain") == parcel().text.rstrip("\n")
    assert f"\r\nList-Unsubscribe: {LONG_URL}\r\n".encode() in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


@pytest.mark.parametrize("base_url", ["https://shop.example", "https://лавка.рф", LONG_BASE])
def test_the_unsubscribe_header_arrives_on_one_line_and_not_encoded(
    server: Server, base_url: str
) -> None:
    public_id = "AbCdEfGhIjKlMnOpQrStU_"
    fields = headers.letter_headers(
        stream="promotional",
        public_id=public_id,
        base_url=base_url,
        date=datetime(2026, 12, 5, 10, tzinfo=UTC),
        topic="offers",
    )
    send(parcel(more=fields))
    head = server.received[0][2].partition(b"\r\n\r\n")[0].split(b"\r\n")
    [line] = [line for line in head if line.startswith(b"List-Unsubscribe:")]
    assert line.startswith(b"List-Unsubscribe: <https://")
    assert line.endswith(f"{public_id}/>".encode())
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head


@pytest.mark.filterwarnings("ignore:The EMAIL_::pytest_django")
def test_a_project_that_knows_no_mailers_yet_sends_all_the_same(
    server: Server, backend: str, settings: Any
) -> None:
    use_email_settings(settings, backend, host="127.0.0.1", port=server.port, timeout=2)
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.SENT, receipt
    assert receipt.provider == backend
    assert len(server.received) == 1


def test_mail_settings_that_cannot_work_are_one_failure_and_the_rest_untouched(
    settings: Any,
) -> None:
    use_backend(settings, "no.such.Backend")
    receipts = send(parcel(1), parcel(2))
    assert [receipt.outcome for receipt in receipts] == [Outcome.FAILED, Outcome.UNTOUCHED]
    assert "No connection" in receipts[0].detail


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS came with Django 6.1")
def test_a_project_without_a_default_mailer_is_told(settings: Any) -> None:
    settings.MAILERS = {}
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.FAILED
    assert "MailerDoesNotExist" in receipt.detail


def test_our_backend_sends_the_ready_bytes(server: Server, backend: str) -> None:
    one = parcel()
    assert one.raw is not None
    send(one)
    is_the_same = server.received[0][2] == one.raw()
    assert is_the_same == (backend == OURS)


def test_a_server_without_pipelining_gets_the_same_letter(server: Server) -> None:
    server.pipelining = False
    assert send(parcel())[0].outcome is Outcome.SENT
    assert len(server.received) == 1


def test_a_batch_goes_over_one_connection(server: Server) -> None:
    channel = channels.get("email")
    receipts = [*channel.send_many([parcel(1), parcel(2)]), *channel.send_many([parcel(3)])]
    channel.close()
    assert [receipt.outcome for receipt in receipts] == [Outcome.SENT] * 3
    assert [receipt.dispatch_id for receipt in receipts] == [1, 2, 3]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("reply", "outcome", "dead"),
    [
        ("550 5.1.1 <bert@mail.example> does not exist", Outcome.REFUSED, True),
        ("550 5.7.1 bert@mail.example blocked by policy", Outcome.REFUSED, False),
        ("550 no such user", Outcome.REFUSED, True),
        ("451 4.7.1 greylisted", Outcome.FAILED, False),
    ],
)
def test_a_refused_recipient_spares_the_neighbours(
    server: Server, reply: str, outcome: Outcome, dead: bool
) -> None:
    server.replies["bert@mail.example"] = reply
    receipts = send(parcel(1), parcel(2, "bert@mail.example"), parcel(3, "carl@mail.example"))
    assert [r.outcome for r in receipts] == [Outcome.SENT, outcome, Outcome.SENT]
    assert [r.point_is_dead for r in receipts] == [False, dead, False]
    assert "bert@" not in receipts[1].detail
    assert reply[:3] in receipts[1].detail
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("stage", "reply", "outcome"),
    [
        ("CONTENT", "554 5.7.1 spam", Outcome.REFUSED),
        ("CONTENT", "452 4.3.1 disk full", Outcome.FAILED),
        ("MAIL", "550 5.7.1 sender not allowed", Outcome.FAILED),
        ("MAIL", "451 4.3.0 later", Outcome.FAILED),
    ],
)
def test_refusals_are_told_apart(server: Server, stage: str, reply: str, outcome: Outcome) -> None:
    server.replies[stage] = reply
    receipts = send(parcel(1), parcel(2))
    assert [receipt.outcome for receipt in receipts] == [outcome, outcome]
    assert not any(receipt.point_is_dead for receipt in receipts)
    assert not server.received


def test_a_server_that_says_421_is_asked_again_on_a_new_connection(server: Server) -> None:
    server.replies["bert@mail.example"] = "421 4.7.0 too many letters"
    receipts = send(parcel(1, "bert@mail.example"), parcel(2))
    assert [receipt.outcome for receipt in receipts] == [Outcome.FAILED, Outcome.SENT]
    assert server.connections == 2


def test_a_connection_that_was_dropped_while_idle_costs_nothing(server: Server) -> None:
    channel = channels.get("email")
    assert channel.send_many([parcel(1)])[0].outcome is Outcome.SENT
    server.hang_up_at = "MAIL"
    assert channel.send_many([parcel(2)])[0].outcome is Outcome.SENT
    channel.close()
    assert len(server.received) == 2


def test_a_server_that_hangs_up_before_the_text_failed(server: Server) -> None:
    server.hang_up_at, server.hang_ups = "MAIL", 99
    assert [r.outcome for r in send(parcel(1), parcel(2))] == [Outcome.FAILED] * 2


def test_a_server_that_hangs_up_after_the_text_leaves_a_doubt(server: Server) -> None:
    server.hang_up_at = "CONTENT"
    receipts = send(parcel(1), parcel(2))
    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN, Outcome.SENT]


FIVE = tuple(range(5))


@pytest.mark.parametrize("place", FIVE)
@pytest.mark.parametrize(
    ("reply", "outcome", "connections"),
    [
        ("550 5.1.1 does not exist", Outcome.REFUSED, 1),
        ("451 4.7.1 greylisted", Outcome.FAILED, 1),
        ("421 4.7.0 too many letters", Outcome.FAILED, 2),
    ],
)
def test_wherever_in_a_group_one_is_refused_the_others_arrive_in_their_order(
    server: Server, place: int, reply: str, outcome: Outcome, connections: int
) -> None:
    server.replies["bert@mail.example"] = reply
    people = [f"p{n}@mail.example" for n in FIVE]
    people[place] = "bert@mail.example"
    receipts = send(*[parcel(n, to) for n, to in enumerate(people)])
    expected = [Outcome.SENT] * 5
    expected[place] = outcome
    assert [receipt.dispatch_id for receipt in receipts] == list(FIVE)
    assert [receipt.outcome for receipt in receipts] == expected
    assert [to for _from, [to], _text in server.received] == [
        to for to in people if to != "bert@mail.example"
    ]
    is_last = place == FIVE[-1]
    assert server.connections == (1 if is_last else connections)


@pytest.mark.parametrize("place", FIVE)
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "in turn"])
@pytest.mark.parametrize(
    ("stage", "outcome"), [("CONTENT", Outcome.UNKNOWN), ("MAIL", Outcome.SENT)]
)
def test_wherever_in_a_group_a_connection_breaks_only_the_text_that_had_left_is_in_doubt(
    server: Server, place: int, stage: str, outcome: Outcome, pipelining: bool
) -> None:
    server.hang_up_at, server.patience, server.pipelining = stage, place, pipelining
    receipts = send(*[parcel(n, f"p{n}@mail.example") for n in FIVE])
    expected = [Outcome.SENT] * 5
    expected[place] = outcome
    if stage == "MAIL" and place == 0:
        # A connection that was opened for this very letter: that is no idle one that went away.
        expected[place] = Outcome.FAILED
    assert [receipt.outcome for receipt in receipts] == expected
    arrived = [to for _from, [to], _text in server.received]
    assert arrived == [f"p{n}@mail.example" for n in FIVE if expected[n] is Outcome.SENT]


def test_letters_of_a_group_wait_for_one_round_trip_each(server: Server, backend: str) -> None:
    if backend != OURS:
        pytest.skip("Django's backend waits for every answer")
    sent: list[bytes] = []
    channel = channels.get("email")
    channel.send_many([parcel(0)])
    client = channel._post.connection.connection  # type: ignore[attr-defined]  # what is on the wire
    original = client.send
    client.send = lambda data: (sent.append(data), original(data))
    assert len(channel.send_many([parcel(n) for n in FIVE])) == 5
    channel.close()
    # The first envelope, then each text with the envelope of the next behind it.
    texts = [data for data in sent if isinstance(data, bytes) and b"\r\n.\r\n" in data]
    assert [b"MAIL FROM" in data for data in texts] == [True] * 4 + [False]


def test_a_server_that_goes_silent_after_the_text_leaves_a_doubt(
    server: Server, backend: str, settings: Any
) -> None:
    use_backend(settings, backend, host="127.0.0.1", port=server.port, timeout=0.3)
    server.silence = 2
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.UNKNOWN


def test_nobody_at_home_is_one_failure_and_the_rest_untouched(
    backend: str, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    use_backend(settings, backend, host="127.0.0.1", port=port)
    with caplog.at_level(logging.DEBUG):
        receipts = send(parcel(1), parcel(2), parcel(3))
    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes == [Outcome.FAILED, Outcome.UNTOUCHED, Outcome.UNTOUCHED]
    assert "anna" not in caplog.text


def test_a_silent_server_is_not_waited_for_without_end(
    server: Server, backend: str, settings: Any
) -> None:
    use_backend(settings, backend, host="127.0.0.1", port=server.port, timeout=None)
    channel = EmailChannel()
    assert channel.send_many([parcel()])[0].outcome is Outcome.SENT
    connection: Any = channel._post.connection
    assert connection.connection.sock.gettimeout() == 20
    channel.close()


def test_any_backend_gets_a_standard_message(settings: Any) -> None:
    use_backend(settings, "django.core.mail.backends.locmem.EmailBackend")
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.SENT
    [message] = mail.outbox
    assert isinstance(message, LetterMessage)
    assert message.subject == "Привет, Анна"
    assert message.alternatives[0][1] == "text/html"
    assert message.extra_headers["List-Unsubscribe"] == LONG_URL


def test_a_provider_behind_anymail_gets_tags_and_returns_its_id(settings: Any) -> None:
    use_backend(settings, "anymail.backends.test.EmailBackend")
    [receipt] = send(parcel())
    assert receipt.outcome is Outcome.SENT
    assert receipt.provider_id
    assert receipt.provider_id != "m1@shop.example"
    sent: Any = mail.outbox[0]
    assert sent.anymail_test_params["metadata"] == {"message": "m1", "flow": "abandoned-basket"}
    assert sent.anymail_test_params["tags"] == ["abandoned-basket"]


class _Broken:
    """A backend that raises."""

    error: Exception

    def __init__(self, **_options: Any) -> None:
        pass

    def open(self) -> None:
        return None

    def close(self) -> None:
        raise RuntimeError("even this")

    def send_messages(self, messages: list[Any]) -> int:
        raise self.error


class BrokenBackend(_Broken):
    """Raises what a test wants."""


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("anna@mail.example broke"), Outcome.UNKNOWN),
        (TimeoutError(), Outcome.UNKNOWN),
        (ValueError("bad header"), Outcome.FAILED),
    ],
)
def test_a_backend_that_raises_never_raises_through(
    error: Exception, outcome: Outcome, settings: Any
) -> None:
    use_backend(settings, "tests.content.test_email_channel.BrokenBackend")
    BrokenBackend.error = error
    receipts = send(parcel(1), parcel(2))
    assert [receipt.outcome for receipt in receipts] == [outcome, outcome]
    assert all("anna" not in receipt.detail for receipt in receipts)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Anna@Mail.EXAMPLE ", "anna@mail.example"),
        ("anna@Лавка.рф", "anna@xn--80aaf6ac.xn--p1ai"),
        ("strasse@straße.example", "strasse@xn--strae-oqa.example"),
    ],
)
def test_addresses_have_one_spelling(value: str, expected: str) -> None:
    assert channels.get("email").normalise(value) == expected


@pytest.mark.parametrize(
    "value", ["", "anna", "a@b", "a\r\nb@c.example", "@c.example", "a b@c.example"]
)
def test_what_is_no_address_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ValueError, match="e-mail") as caught:
        channels.get("email").normalise(value)
    assert not value or value not in str(caught.value)


def test_messages_for_other_backends_keep_long_headers_whole() -> None:
    message = LetterMessage("s", "b", "a@b.example", ["c@d.example"], headers={"X": LONG_URL})
    assert f"X: {LONG_URL}" in message.message().as_string()
