from __future__ import annotations

from dataclasses import replace

from include.hubspot_sync.engine.health import Summary, as_fields
from include.hubspot_sync.observe.summary_table import summary_table

SUMMARY = Summary(
    run_id=42, mode="incremental", state="success", records=69350, created=69350, phases={"deliver": 75.61}
)


def test_table_has_a_line_for_every_number_of_the_summary():
    lines = summary_table("baby_names", as_fields(SUMMARY))

    assert lines[0] == "summary of run 42: sync baby_names, mode incremental, state success"
    names = [line.split()[0] for line in lines[1:]]
    numbers = {name for name, value in as_fields(SUMMARY).items() if isinstance(value, int)} - {"run_id"}
    assert set(names) == numbers | {"deliver_s"}
    assert len(names) == len(set(names))


def test_columns_stand_below_each_other():
    lines = summary_table("baby_names", as_fields(SUMMARY))

    created = next(line for line in lines if line.split()[0] == "created")
    deliver = next(line for line in lines if line.split()[0] == "deliver_s")
    assert created.split()[1] == "69,350"
    assert deliver.split()[1] == "75.6"
    assert created.index("69,350") + len("69,350") == deliver.index("75.6") + len("75.6")


def test_table_holds_no_text_of_the_run():
    summary = replace(SUMMARY, message="tasks failed because of Ann", note="Ann")

    assert "Ann" not in "\n".join(summary_table("baby_names", as_fields(summary)))
