"""Living without Wagtail and without Celery: publishing files, running the loop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from oscar_triggers.content import presets
from oscar_triggers.models import Flow, Owner, Pulse, TemplateVersion


@pytest.mark.django_db
def test_the_shipped_flows_are_published_by_one_word_and_publishing_again_changes_nothing() -> None:
    said = StringIO()
    call_command("triggers_publish", "preset:abandoned-basket", stdout=said)
    flow = Flow.objects.get(key="abandoned-basket")
    assert flow.owner == Owner.FILE
    assert set(TemplateVersion.objects.values_list("language", flat=True)) == {"en", "de", "ru"}
    assert "waiting already: 0" in said.getvalue()
    call_command("triggers_publish", "preset:abandoned-basket", stdout=said)
    assert flow.versions.count() == 1
    assert TemplateVersion.objects.count() == 9


@pytest.mark.django_db
def test_what_ships_is_published_by_name_and_never_all_at_once() -> None:
    with pytest.raises(CommandError) as refused:
        call_command("triggers_publish", "presets")
    assert "preset:abandoned-basket  A basket left behind: " in str(refused.value)
    assert "preset:request-confirmation  A guest asked" in str(refused.value)
    with pytest.raises(CommandError, match=r"No preset is called nothing(?s:.*)preset:abandoned"):
        call_command("triggers_publish", "preset:abandoned-basket", "preset:nothing")
    assert not Flow.objects.exists()

    call_command("triggers_publish", "preset:request-confirmation", verbosity=0)
    assert [flow.key for flow in Flow.objects.all()] == ["request-confirmation"]
    assert {letter.template.key for letter in TemplateVersion.objects.all()} == {
        "request-confirmation"
    }


def test_every_flow_that_ships_says_what_it_does_and_brings_its_letters() -> None:
    shipped = list(presets.every())
    assert len(shipped) > 1
    for preset in shipped:
        assert preset.name == preset.definition.key
        assert len(preset.about) > 20
        assert preset.letters, preset.name
    letters = {path for preset in shipped for path in preset.letters}
    assert letters == set((presets.FOLDER / "letters").glob("*.mjml"))


@pytest.mark.django_db
def test_a_refused_file_names_the_place_and_publishes_nothing(tmp_path: Path) -> None:
    letter = tmp_path / "hello.en.mjml"
    letter.write_text("---\nsubject: Hello {{ cuckoo }}\n---\n<mjml><mj-body></mj-body></mjml>\n")
    flow = tmp_path / "flow.yaml"
    flow.write_text("flow: hello\ntrigger: basket_left\nsteps:\n  - key: a\n    kind: sned\n")
    errors = StringIO()
    with pytest.raises(CommandError, match="2 of 2 files were refused"):
        call_command("triggers_publish", str(letter), str(flow), stderr=errors)
    assert "cuckoo" in errors.getvalue()
    assert "sned" in errors.getvalue()
    assert not Flow.objects.exists()


@pytest.mark.django_db
def test_checking_publishes_nothing_and_shows_how_many_wait() -> None:
    said = StringIO()
    call_command("triggers_publish", "preset:abandoned-basket", stdout=said)
    Flow.objects.all()
    before = Flow.objects.count()
    call_command("triggers_publish", "--check", "preset:abandoned-basket", stdout=said)
    assert Flow.objects.count() == before
    assert "abandoned-basket.yaml: good" in said.getvalue()


def test_the_loop_ticks_and_stops_kindly(process_environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "triggers_run", "--every", "0.2"],
        env=process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not Pulse.objects.filter(name="tick", ran_at__isnull=False).exists():
            assert time.monotonic() < deadline, "the loop did not tick"
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        said, _nothing = process.communicate(timeout=15)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert said.rstrip().endswith("Stopped.")
