"""Secrets that get into names, errors, logs, answers, inputs and the environment are in no report."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from dagtop.core import commands as cmd
from dagtop.core import events as ev
from dagtop.core.failure import Failure
from dagtop.core.states import RunState
from dagtop.observe.redact import REDACTED, redactor
from dagtop.observe.report import FORMATS, ReportRecorder, collect, write_report
from dagtop.observe.secrets import secrets_in
from dagtop_app.reports.picturing import draw
from report_scene import FakeRun, FakeTask, failed, plan_of
from test_report_escalations import escalation

#: Each is in one place only, and told by that place or by its form.
PLANTED = {
    "environment": "corr3ct-horse-battery",
    "input": "hunter2-of-the-input",
    "inner": "nested-v4lue-of-an-input",
    "form": "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "named": "s3same-0pen",
    "url": "pa55-in-an-address",
    "bearer": "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
}


def planted_run() -> FakeRun:
    """Each secret in a message, a traceback, a name, a reason, an output, an escalation."""
    everything = " ".join(
        [
            f"password={PLANTED['named']}",
            f"postgres://ana:{PLANTED['url']}@db/orders",
            f"Authorization: Bearer {PLANTED['bearer']}",
            *(PLANTED[kind] for kind in ("environment", "input", "inner", "form", "aws", "jwt")),
        ]
    )
    error = Failure(
        error="LoginError",
        message=everything,
        traceback=f"Traceback\n  {everything}\n",
        where="etl.py:3",
        root=everything,
    )
    name, after = f"load {everything}", "after"
    bad = dataclasses.replace(failed(name, 0.0, 1.0, error, tries=2), reason=everything)
    return FakeRun(
        plan_of(everything, {name: [], after: [name]}, {name: everything}),
        [bad, FakeTask(after, output={"password": PLANTED["named"], "rows": [everything]})],
        graph=f"g {everything}",
        state=RunState.FAILED,
        reason=everything,
        escalations=[escalation(name, text=everything)],
    )


@pytest.fixture
def recorder() -> ReportRecorder:
    run = planted_run()
    (told,) = run.escalations
    text = told.inputs[next(iter(told.inputs))]
    recorder = ReportRecorder()
    recorder.record(
        1,
        [
            ev.Log(0.5, run.tasks[0].name, 1, "stdout", "", text),
            ev.CommandApplied(0.6, cmd.CancelRun(text), id=1, by="ana", effect=text),
            ev.BreakerOpened(0.7, "api", text, 30.0),
            ev.Problem(0.8, source="callback", message=text),
            ev.TaskEscalated(0.9, told.task, told),
        ],
    )
    return recorder


@pytest.mark.parametrize("ending", FORMATS)
def test_no_planted_secret_is_in_a_report(
    ending: str, recorder: ReportRecorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERS_API_TOKEN", PLANTED["environment"])
    inputs = {"password": PLANTED["input"], "settings": {"auth": {"token": PLANTED["inner"]}}, "day": "monday"}
    report = collect(planted_run(), recorder=recorder, inputs=inputs)
    text = write_report(report, tmp_path / f"report{ending}", draw=draw).read_text("utf-8")
    assert {kind: secret for kind, secret in PLANTED.items() if secret in text} == {}
    assert "redacted" in text


@pytest.mark.parametrize(
    "harmless",
    [
        "KeyError: 'token'",
        "token: expired",
        "the password is wrong",
        "unexpected token: comma",
        "KeyError: 'api_key' is missing",
        "key=value",
        "https://example.com/a@b?x=1",
        "basic authentication failed",
        "tokens=None",
        "prompt tokens: 1532, max_tokens=4096, tokenCount: 12",
        'File "auth.py", line 3, in get_token',
        "/graphs/secrets.py:11 in load_tokens, get_token.py:7:12: error",
    ],
)
def test_what_only_speaks_of_secrets_stays(harmless: str) -> None:
    assert redactor()(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("connect(password='x y', user='ana')", f"connect(password={REDACTED}, user='ana')"),
        ('{"apiKey": "k1", "rows": 3}', f'{{"apiKey": {REDACTED}, "rows": 3}}'),
        ("--token abc123 --rows 3", f"--token {REDACTED} --rows 3"),
        ("token=12345678, tokens: a1b2", f"token={REDACTED}, tokens: {REDACTED}"),
        ("DB_PASSWORD=abc; rows=3", f"DB_PASSWORD={REDACTED}; rows=3"),
        ("ftp://ana:x@host/", f"ftp://ana:{REDACTED}@host/"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nend", f"{REDACTED}\nend"),
    ],
)
def test_only_the_secret_is_taken_out(text: str, left: str) -> None:
    assert redactor()(text) == left


def test_short_values_and_working_folders_are_no_secrets() -> None:
    environ = {"PWD": "relative/folder", "TOKEN": "abc", "API_KEY": "abcdef-1", "SECRET_FILE": "/run/secrets/x"}
    assert secrets_in({"token": 12345678, "day": "monday", "secret": None}, environ) == {"abcdef-1", "12345678"}


@pytest.mark.parametrize(
    "piece", ["a.", "eyJaaaaaaaa-", "token-", "-----BEGIN ", "://a:", "--token", "password", "Bearer a"]
)
def test_a_hostile_text_does_not_take_long(piece: str) -> None:
    text = piece * 20_000
    assert len(redactor()(f"token {text}")) > 0
