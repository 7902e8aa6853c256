"""Pushing to the Hub, against a stand-in that speaks the Hub's API for small files; the real Hub was never asked here."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataengine import shards
from dataengine.commands import export as export_verb
from dataengine.errors import Stopped
from dataengine.export import export
from dataengine.run import run
from tests.dataengine.hub_server import hub_server
from tests.dataengine.test_export import data

pytest.importorskip("huggingface_hub")


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    return export(run(data(prompts=6), tmp_path / "runs"), to="hub", out=tmp_path / "out").folder


def at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)


def test_a_push_makes_the_repository_and_sends_data_card_and_manifest(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("datasets")
    with hub_server() as (address, sent):
        at(address, monkeypatch)
        folder = next((tmp_path / "runs").glob("said-*"))
        export_verb.command([str(folder), "--to", "hub", "--out", str(exported), "--repo", "user/sums"])
    assert "/commit/" in capsys.readouterr().out
    assert sent.repositories == {"user/sums": True}, "private unless said otherwise"
    assert set(sent.files) == {"README.md", "manifest.json", "train-00000.parquet", "train-00001.parquet"}
    assert sent.files["README.md"] == (exported / "README.md").read_bytes()
    assert folder.name in sent.commits[0]
    received = tmp_path / "received"
    for name, content in sent.files.items():
        (received / name).parent.mkdir(exist_ok=True)
        (received / name).write_bytes(content)
    rows = datasets.load_dataset(str(received), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["row_id"] == shards.read(folder)["row_id"].to_list()


def test_what_the_hub_refuses_is_said_with_the_way_out(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataengine.hub import push

    with hub_server() as (address, sent):
        at(address, monkeypatch)
        sent.refuse = 403
        with pytest.raises(ValueError, match=r"does not let this token write to user/sums \(403\): log in with `hf auth login`"):
            push(exported, repo="user/sums")
        with pytest.raises(ValueError, match="is no name of a repository"):
            push(exported, repo="not/a/name")
    at("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(Stopped, match="the Hub cannot be reached"):
        push(exported, repo="user/sums")


def test_only_what_is_whole_and_has_a_card_is_pushed(exported: Path, tmp_path: Path) -> None:
    from dataengine.hub import push

    with pytest.raises(ValueError, match="has no card"):
        push(next((tmp_path / "runs").glob("said-*")), repo="user/sums")
    (exported / "train-00000.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="is damaged"):
        push(exported, repo="user/sums")
