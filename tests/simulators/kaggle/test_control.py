"""Control calls, versions, restarts, and how the program starts and ends."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tools.kaggle_simulator.dataset import read_csv
from tools.kaggle_simulator.options import parse_options

REPOSITORY = Path(__file__).resolve().parents[3]
CSV = b"YearOfBirth,Name,Sex,Number\n1990,Mary,F,10\n1990,Nan,M,5\n"


def run_to_the_end(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a simulator that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "tools.kaggle_simulator", "--profile", "small", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=os.environ | environ,
    )


def post(sim, path: str, content: object):
    return sim.http.post(sim.url + path, json=content)


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/__sim", {"fult": "zero"}),
        ("/__sim", {"fault": "nonsense"}),
        ("/__sim", {"fault": "zero", "times": 0}),
        ("/__sim", {"fault": "zero", "faults": []}),
        ("/__sim", {"url_lifetime_s": -1}),
        ("/__sim", []),
        ("/__sim/versions", {"new": 2}),
        ("/__sim/versions", {"changed": 0.6, "removed": 0.6}),
        ("/__sim/versions", {"base": 99}),
        ("/__sim/versions", {"path": "/does/not/exist.csv"}),
        ("/__sim/versions", {"last_updated": "yesterday"}),
        ("/__sim/versions", {"last_updated": "2024-01-01T00:00:00"}),
    ],
)
def test_wrong_orders_are_400_and_change_nothing(sim, path, order):
    before = sim.state()
    answer = post(sim, path, order)

    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert sim.state() == before


def test_unknown_version_is_404_and_the_fault_is_not_set(sim):
    answer = post(sim, "/__sim", {"version": 99, "fault": "zero"})

    assert answer.status_code == 404
    assert sim.state()["faults"] == []


def test_reset_takes_faults_settings_and_log_back(sim):
    started = sim.state()["settings"]
    sim.control(fault="zero", zip=False, anonymous=True, stall_s=1, url_lifetime_s=5)
    sim.control(token="KGAT_other")
    assert sim.state()["settings"] != started
    sim.call("GetDataset")

    state = sim.control(reset=True)

    assert (state["settings"], state["faults"]) == (started, [])
    assert sim.requests() == []
    assert sim.call("GetDataset").status_code == 200


def test_request_log_tells_what_was_asked(sim):
    sim.call("GetDataset", prefix="/api/v1", headers={"X-Extra": "1", "Authorization": "Basic c2VjcmV0"})

    [entry] = sim.requests()
    assert (entry["port"], entry["method"], entry["status"]) == (sim.port, "POST", 401)
    assert entry["path"] == "/api/v1/datasets.DatasetApiService/GetDataset"
    assert json.loads(entry["body"])["ownerSlug"] == "thedevastator"
    assert (entry["headers"]["x-extra"], entry["headers"]["authorization"]) == ("1", "Basic ***")


def test_request_log_can_be_cleared(sim):
    sim.call("GetDataset")

    assert sim.http.delete(f"{sim.url}/__sim/requests").json() == {"requests": []}
    assert sim.requests() == []


@pytest.mark.parametrize("name", ["names.csv", "names.csv.gz"])
def test_file_becomes_a_new_version(sim, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(CSV) if name.endswith(".gz") else CSV)

    added = sim.add_version(path=str(path), notes="by hand", last_updated="2024-02-03T04:05:06Z")

    assert (added["bytes"], added["md5"]) == (len(CSV), hashlib.md5(CSV, usedforsecurity=False).hexdigest())
    answer = sim.call("GetDataset").json()
    assert answer["currentVersionNumber"] == added["version"]
    assert answer["lastUpdated"] == "2024-02-03T04:05:06Z"
    assert answer["versions"][0]["versionNotes"] == "by hand"
    file = sim.download(raw=True)
    assert file.content == CSV
    assert file.headers["last-modified"] == "Sat, 03 Feb 2024 04:05:06 GMT"


def test_any_bytes_can_be_a_version(sim, tmp_path):
    path = tmp_path / "broken.csv"
    path.write_bytes(b"Name\xff\r\n,,,\n1990,Mary")

    sim.add_version(path=str(path))

    assert sim.download(raw=True).content == path.read_bytes()
    assert len(sim.call("ListDatasetFiles").json()["datasetFiles"]) == 1


def test_cut_gzip_file_is_refused(sim, tmp_path):
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(CSV)[:-9])
    before = sim.state()

    answer = post(sim, "/__sim/versions", {"path": str(path)})

    assert answer.status_code == 400
    assert sim.state() == before


def test_same_content_has_the_same_zip(sim, tmp_path):
    path = tmp_path / "names.csv"
    path.write_bytes(CSV)
    first, second = (sim.add_version(path=str(path)) for _ in range(2))

    assert first["zip_md5"] == second["zip_md5"]
    assert first["last_updated"] < second["last_updated"]


def test_next_version_is_generated_with_the_wanted_shares(sim):
    added = sim.add_version(seed=9, new=0.01, changed=0.02, removed=0.005)

    assert added["contacts"] == 2000 + 20 - 10
    assert sim.download(raw=True).content.count(b"\n") == added["rows"] + 1
    again = sim.add_version(seed=9, new=0.01, changed=0.02, removed=0.005, base=1)
    assert again["md5"] == added["md5"]


def test_version_can_be_added_without_becoming_current(sim):
    added = sim.add_version(seed=2, new=0.01, make_current=False)

    assert sim.call("GetDataset").json()["currentVersionNumber"] == 1
    assert sim.download(datasetVersionNumber=added["version"]).status_code == 200


def test_current_version_moves_up_and_down(sim):
    newest = sim.add_version(seed=6, new=0.01)["version"]

    for number in (1, newest, 1):
        sim.control(version=number)
        answer = sim.call("GetDataset").json()
        assert answer["currentVersionNumber"] == number
        assert answer["versions"][0]["versionNumber"] == number


def test_restart_goes_on_with_the_same_versions(start, tmp_path):
    options = ("--profile", "small", "--folder", str(tmp_path / "kept"))
    first = start(*options)
    first.add_version(seed=2, changed=0.1)
    first.add_version(seed=3, changed=0.1)
    first.control(version=2)
    before, content = first.state(), first.download(raw=True).content
    assert first.stop() == 0
    (tmp_path / "kept" / "incoming-half").mkdir()  # what a killed simulator leaves behind

    second = start(*options, "--seed", "77")

    after = second.state()
    assert after["versions"] == before["versions"]
    assert after["current_version"] == 2
    assert second.download(raw=True).content == content
    assert second.add_version(seed=4, new=0.1)["version"] == 4
    assert not (tmp_path / "kept" / "incoming-half").exists()


def test_csv_option_is_version_1_and_the_log_is_a_file(start, tmp_path):
    path, log = tmp_path / "own.csv.gz", tmp_path / "log.jsonl"
    path.write_bytes(gzip.compress(CSV))
    other = start("--csv", str(path), "--log", str(log), "--delivery", "plain", "--token", "KGAT_own")

    answer = other.call("DownloadDataset", headers={"Authorization": "Bearer KGAT_own"}, fileName=other.file)

    assert other.http.get(answer.headers["location"]).content == CSV
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["status"] for line in lines] == [302, 200]
    assert [line["port"] for line in lines] == [other.port, other.storage_port]


def test_sigterm_ends_it_in_spite_of_a_stalled_download(start):
    process = start("--profile", "small")
    process.control(fault="stall")

    with process.http.stream("GET", process.signed_url()) as answer:
        assert next(answer.iter_raw())
        process.popen.terminate()
        assert process.popen.wait(timeout=5) == 0
    assert process.popen.stderr.read() == ""


def test_taken_port_is_one_line_and_exit_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_to_the_end("--port", str(port))

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"kaggle simulator: port {port} on 127.0.0.1 cannot be used")
    assert ended.stderr.count("\n") == 1


def test_folder_of_another_dataset_is_refused(start, tmp_path):
    folder = str(tmp_path / "kept")
    start("--profile", "small", "--folder", folder).stop()

    ended = run_to_the_end("--folder", folder, "--dataset", "someone/else")

    assert ended.returncode == 2
    assert "use another --folder" in ended.stderr


def test_missing_csv_is_refused_and_no_version_is_left(tmp_path):
    ended = run_to_the_end("--folder", str(tmp_path / "kept"), "--csv", str(tmp_path / "missing.csv"))

    assert ended.returncode == 2
    assert list((tmp_path / "kept").iterdir()) == []


def test_options_come_from_the_environment_and_arguments_win():
    environ = {"KAGGLE_SIM_PORT": "1234", "KAGGLE_SIM_PROFILE": "full", "KAGGLE_SIM_ANONYMOUS": "1"}
    options = parse_options(["--port", "4321", "--storage-port", "5"], environ)

    assert (options.port, options.storage_port, options.profile) == (4321, 5, "full")
    assert options.anonymous is True


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        (["--dataset", "noslash"], {}),
        ([], {"KAGGLE_SIM_DELIVERY": "rar"}),
        ([], {"KAGGLE_SIM_PROFILE": "huge"}),
    ],
)
def test_wrong_options_are_refused(arguments, environ, capsys):
    with pytest.raises(SystemExit) as ended:
        parse_options(arguments, environ)

    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_stored_version_is_read_back_by_the_generator(sim, tmp_path):
    path = tmp_path / "downloaded.csv"
    path.write_bytes(sim.download(raw=True).content)

    assert (read_csv(path).row_count, read_csv(path).contact_count) == (6000, 2000)
