import subprocess

from jaxblur.runtime import provenance


def test_changed_code_has_another_name(monkeypatch):
    def commit(changes):
        answers = {"describe": b"abc\n", "diff": changes}
        monkeypatch.setattr(
            provenance.subprocess, "run", lambda c, **_: subprocess.CompletedProcess(c, 0, answers[c[2]])
        )
        return provenance.commit()

    assert commit(b"") == "abc"
    assert commit(b"+1").startswith("abc+") and commit(b"+1") != commit(b"+2")


def test_code_outside_a_repository_has_none(monkeypatch):
    def run(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(provenance.subprocess, "run", run)
    assert provenance.commit() == "unknown"
