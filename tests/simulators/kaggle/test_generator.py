"""The generated datasets: exact counts, order, determinism, and what a next version changes."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import defaultdict
from pathlib import Path

import pytest

from tools.kaggle_simulator import generate
from tools.kaggle_simulator.checksums import crc32c, digest_file
from tools.kaggle_simulator.dataset import csv_chunks, read_csv, write_csv
from tools.kaggle_simulator.generator import Profile, make_dataset, make_profile
from tools.kaggle_simulator.revision import next_version

HEADER = b"YearOfBirth,Name,Sex,Number"
AWKWARD = {"True", "Nil", "Na", "Nan", "No", "Infinity"}
NAME = re.compile(r"[A-Z][a-z]{1,14}")

Rows = list[tuple[int, str, str, int]]


def csv_bytes(dataset) -> bytes:
    return b"".join(csv_chunks(dataset))


def parse(content: bytes) -> Rows:
    """Read the file with nothing of the generator's own code."""
    header, *lines = content.decode("ascii").split("\n")
    assert header.encode() == HEADER
    assert lines.pop() == ""
    fields = (line.split(",") for line in lines)
    return [(int(year), name, sex, int(number)) for year, name, sex, number in fields]


def by_contact(rows: Rows) -> dict[tuple[str, str], Rows]:
    contacts = defaultdict(list)
    for row in rows:
        contacts[row[1:3]].append(row)
    return contacts


def aggregate(rows: Rows) -> tuple:
    """Return what a contact's record holds: total, first, last and peak year, peak births."""
    peak = max(row[3] for row in rows)
    years = [row[0] for row in rows]
    return sum(row[3] for row in rows), min(years), max(years), min(row[0] for row in rows if row[3] == peak), peak


@pytest.fixture(scope="module", params=[Profile.SMALL, Profile.BENCHMARK, Profile.FULL])
def profile_rows(request):
    rows = parse(csv_bytes(make_profile(request.param, 1)))
    return request.param, rows, by_contact(rows)


@pytest.fixture(scope="module")
def small():
    return make_profile(Profile.SMALL, 1)


COUNTS = {
    Profile.SMALL: (6_000, 2_000),
    Profile.BENCHMARK: (208_050, 69_350),
    Profile.FULL: (1_900_000, 105_000),
}


def test_profile_is_like_the_real_file(profile_rows):
    profile, rows, contacts = profile_rows
    names = {name for name, _ in contacts}

    assert (len(rows), len(contacts)) == COUNTS[profile]
    assert len({row[:3] for row in rows}) == len(rows)
    assert all(NAME.fullmatch(name) for name in names)
    assert names >= AWKWARD
    assert len(contacts) - len(names) == len(contacts) // 10
    assert {row[2] for row in rows} == {"F", "M"}
    assert (rows[0][0], rows[-1][0]) == (1880, 2023)
    assert min(row[3] for row in rows) == 5
    assert max(row[3] for row in rows) <= 99_693
    keys = [(row[0], row[2], -row[3], row[1]) for row in rows]
    assert keys == sorted(keys)


def test_some_contacts_reach_their_peak_twice(profile_rows):
    _, _, contacts = profile_rows
    births = [[row[3] for row in group] for group in contacts.values()]

    assert sum(numbers.count(max(numbers)) > 1 for numbers in births) >= len(births) // 100


def test_few_contacts_have_most_births(profile_rows):
    _, _, contacts = profile_rows
    totals = sorted((sum(row[3] for row in group) for group in contacts.values()), reverse=True)

    assert sum(totals[: len(totals) // 20]) > sum(totals) / 2


def test_bytes_are_the_same_everywhere(small):
    # measured once; another value means that every recorded result changes its meaning
    assert hashlib.md5(csv_bytes(small), usedforsecurity=False).hexdigest() == "4f4c4bac46ed0e6d4e5d177ce8e1aae1"


def test_seed_decides(small):
    assert csv_bytes(make_profile(Profile.SMALL, 1)) == csv_bytes(small)
    assert csv_bytes(make_profile(Profile.SMALL, 2)) != csv_bytes(small)


@pytest.mark.parametrize(
    ("rows", "contacts"),
    [(100, 100), (14_400, 100), (7_777, 123), (20_000, 20_000), (30_001, 10_000)],
)
def test_any_size_is_exact(rows, contacts):
    made = parse(csv_bytes(make_dataset(rows=rows, contacts=contacts, seed=3)))

    assert (len(made), len(by_contact(made))) == (rows, contacts)
    assert len({row[:3] for row in made}) == rows
    assert all(1880 <= row[0] <= 2023 for row in made)


@pytest.mark.parametrize(("rows", "contacts", "seed"), [(99, 99, 1), (100, 101, 1), (14_401, 100, 1), (100, 100, -1)])
def test_impossible_sizes_are_refused(rows, contacts, seed):
    with pytest.raises(ValueError, match=r"use "):
        make_dataset(rows=rows, contacts=contacts, seed=seed)


@pytest.mark.parametrize("name", ["names.csv", "names.csv.gz"])
def test_written_file_is_read_back(small, tmp_path, name):
    path = tmp_path / name
    write_csv(small, path)

    content = path.read_bytes()
    assert (gzip.decompress(content) if name.endswith(".gz") else content) == csv_bytes(small)
    assert csv_bytes(read_csv(path)) == csv_bytes(small)


def test_packed_file_is_the_same_every_time(small, tmp_path):
    paths = [tmp_path / "one.csv.gz", tmp_path / "two.csv.gz"]
    for path in paths:
        write_csv(small, path)

    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Name,Sex\n", "line 1: the header"),
        (HEADER + b"\n1990,Mary,F,5\n1990,Mary,X,5\n", "line 3: not a year"),
        (HEADER + b"\n1990,Mary,F\n", "line 2: not a year"),
        (HEADER + b"\n1990,Mary,F,99999999999\n", "line 2: not a year"),
    ],
)
def test_broken_file_is_refused_with_its_line(tmp_path, content, message):
    path = tmp_path / "broken.csv"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=message):
        read_csv(path)


def test_next_version_has_exactly_the_wanted_shares(small):
    before = by_contact(parse(csv_bytes(small)))
    after = by_contact(parse(csv_bytes(next_version(small, 5, new=0.03, changed=0.1, removed=0.02))))

    both = before.keys() & after.keys()
    changed = {contact for contact in both if before[contact] != after[contact]}
    assert len(after.keys() - before.keys()) == 60
    assert len(before.keys() - after.keys()) == 40
    assert len(changed) == 200
    assert {contact for contact in both if aggregate(before[contact]) != aggregate(after[contact])} == changed


def test_next_version_keeps_form_and_order(small):
    rows = parse(csv_bytes(next_version(small, 5, new=0.5, changed=0.5, removed=0.1)))

    assert rows == sorted(rows, key=lambda row: (row[0], row[2], -row[3], row[1]))
    assert len({row[:3] for row in rows}) == len(rows)
    assert all(NAME.fullmatch(row[1]) for row in rows)
    assert (min(row[3] for row in rows), rows[0][0], rows[-1][0]) == (5, 1880, 2023)


def test_next_version_changes_rows_and_adds_years(small):
    before, after = (set(parse(csv_bytes(one))) for one in (small, next_version(small, 5, changed=0.3)))
    known = {row[:3] for row in before}

    assert any(row[:3] in known for row in after - before)
    assert any(row[:3] not in known for row in after - before)


def test_next_version_without_shares_is_the_same_file(small):
    assert csv_bytes(next_version(small, 5)) == csv_bytes(small)


def test_next_version_depends_on_its_seed_only(small):
    one, same, other = (csv_bytes(next_version(small, seed, new=0.1, changed=0.1)) for seed in (1, 1, 2))

    assert one == same
    assert one != other


def test_versions_follow_each_other(small):
    dataset = small
    for seed in range(4):
        dataset = next_version(dataset, seed, new=0.1, removed=0.1)

    assert dataset.contact_count == 2000
    assert len(by_contact(parse(csv_bytes(dataset)))) == 2000


@pytest.mark.parametrize("shares", [{"new": -0.1}, {"changed": 1.1}, {"changed": 0.6, "removed": 0.6}])
def test_impossible_shares_are_refused(small, shares):
    with pytest.raises(ValueError, match=r"share|more than all"):
        next_version(small, 1, **shares)


def test_every_contact_can_leave(small):
    assert csv_bytes(next_version(small, 1, removed=1.0)) == HEADER + b"\n"


def test_command_line_writes_a_dataset_and_its_next_version(tmp_path, capsys):
    first, second = tmp_path / "one.csv", tmp_path / "two.csv.gz"
    generate.main(["--rows", "500", "--contacts", "200", "--seed", "4", "--out", str(first)])
    generate.main(["--next-of", str(first), "--new", "0.05", "--removed", "0.01", "--out", str(second)])

    assert len(by_contact(parse(first.read_bytes()))) == 200
    assert len(by_contact(parse(gzip.decompress(second.read_bytes())))) == 208
    assert capsys.readouterr().out.splitlines()[0].endswith("500 rows, 200 contacts")


def test_command_line_refuses_impossible_sizes(tmp_path, capsys):
    with pytest.raises(SystemExit):
        generate.main(["--profile", "small", "--rows", "5", "--out", str(tmp_path / "x.csv")])

    assert "do not fit" in capsys.readouterr().err


def test_crc32c_of_the_standard_check_value():
    assert crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 5000])
@pytest.mark.parametrize("cut", [0, 1, 700])
def test_crc32c_can_be_continued(size, cut):
    data = bytes(place * 7 % 251 for place in range(size))

    assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)


def test_digests_of_a_file(tmp_path):
    path: Path = tmp_path / "check"
    path.write_bytes(b"123456789")
    digests = digest_file(path)

    assert digests.size_bytes == 9
    assert digests.goog_hash == "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw=="
