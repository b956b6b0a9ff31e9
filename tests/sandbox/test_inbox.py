"""What arrives by SMTP is a file, and a page shows it."""

from __future__ import annotations

import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.shop import mailbox
from tests.sandbox.processes import free_port, sandbox_environment

if TYPE_CHECKING:
    from django.test import Client

Sink = Callable[..., int]


def letter(subject: str = "Your basket is waiting") -> EmailMessage:
    """Return a letter with text, HTML and one-click unsubscription."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "shop@example.com"
    message["To"] = "anna@example.com"
    message["List-Unsubscribe"] = "<https://shop.example/t/u/abc/>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("Чайник ждёт.")
    message.add_alternative(
        "<html><head></head><body><script>alert(1)</script><p>Чайник</p></body></html>",
        subtype="html",
    )
    return message


@pytest.fixture
def inbox(settings: Any, tmp_path: Path) -> Path:
    """Return an empty inbox."""
    settings.INBOX_DIR = tmp_path / "inbox"
    return tmp_path / "inbox"


@pytest.fixture
def start_sink(tmp_path: Path) -> Iterator[Sink]:
    """Return a function that starts the sandbox's mail server and returns its port."""
    running: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> int:
        port = free_port()
        command = [sys.executable, "manage.py", "sandbox_mail", "--port", str(port), *arguments]
        running.append(subprocess.Popen(command, env=sandbox_environment(tmp_path)))
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.1)
        raise TimeoutError("the mail server did not start")

    yield start
    for process in running:
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_a_letter_that_arrives_becomes_a_file_and_a_line(start_sink: Sink, tmp_path: Path) -> None:
    port = start_sink()
    with smtplib.SMTP("127.0.0.1", port) as connection:
        connection.send_message(letter())
        connection.send_message(letter("Второе письмо"))

    kept = mailbox.arrivals(tmp_path / "inbox")
    assert [arrival.subject for arrival in kept] == ["Your basket is waiting", "Второе письмо"]
    assert kept[0].recipients == ["anna@example.com"]
    raw = mailbox.raw(tmp_path / "inbox", kept[1].id)
    assert raw is not None
    assert mailbox.part(mailbox.parsed(raw), "plain").strip() == "Чайник ждёт."


def test_a_broken_mail_server_refuses_and_keeps_nothing(start_sink: Sink, tmp_path: Path) -> None:
    port = start_sink("--refuse", "451 try again later")

    with smtplib.SMTP("127.0.0.1", port) as connection, pytest.raises(smtplib.SMTPDataError):
        connection.send_message(letter())
    assert mailbox.arrivals(tmp_path / "inbox") == []


def test_an_empty_inbox_says_what_to_do(client: Client, inbox: Path) -> None:
    page = client.get("/inbox/")

    assert "No letter arrived yet" in page.text


def test_the_inbox_lists_and_shows_a_letter(client: Client, inbox: Path) -> None:
    kept = mailbox.keep(inbox, "shop@example.com", ["anna@example.com"], letter().as_bytes())

    assert "Your basket is waiting" in client.get("/inbox/").text
    page = client.get(f"/inbox/{kept.id}/").text
    assert "Чайник ждёт." in page
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in page
    assert 'action="https://shop.example/t/u/abc/"' in page


def test_a_letters_html_runs_no_script_and_opens_links_apart(client: Client, inbox: Path) -> None:
    kept = mailbox.keep(inbox, "shop@example.com", ["anna@example.com"], letter().as_bytes())

    page = client.get(f"/inbox/{kept.id}/html/")

    assert page["Content-Security-Policy"].startswith("sandbox ")
    assert "allow-scripts" not in page["Content-Security-Policy"]
    assert '<head><base target="_blank">' in page.text


@pytest.mark.django_db
@pytest.mark.parametrize("letter_id", ["index", "20260101t000000-000000-abcdef", "x" * 300])
def test_no_other_file_can_be_read(client: Client, inbox: Path, letter_id: str) -> None:
    mailbox.keep(inbox, "shop@example.com", ["anna@example.com"], letter().as_bytes())

    assert client.get(f"/inbox/{letter_id}/").status_code == 404
