from __future__ import annotations

import threading

import pytest

from tools.local_stack.errors import StackError
from tools.local_stack.steps import Step, run_steps


class Recorder:
    def __init__(self):
        self.began_steps = []
        self.ended_steps = []

    def began(self, name):
        self.began_steps.append(name)

    def ended(self, name, how, took_s):
        self.ended_steps.append((name, how))


def never():
    raise AssertionError("abort was called")


def test_step_waits_for_those_before_it():
    recorder = Recorder()
    steps = [
        Step("last", lambda: "3", after=("middle",)),
        Step("middle", lambda: "2", after=("first",)),
        Step("first", lambda: "1"),
    ]

    run_steps(steps, recorder, never)

    assert recorder.ended_steps == [("first", "1"), ("middle", "2"), ("last", "3")]


def test_independent_steps_run_at_the_same_time():
    both_are_here = threading.Barrier(2, timeout=5)

    def meet():
        both_are_here.wait()
        return "met"

    recorder = Recorder()
    run_steps([Step("a", meet), Step("b", meet)], recorder, never)

    assert sorted(recorder.ended_steps) == [("a", "met"), ("b", "met")]


def test_failure_releases_the_waiting_steps_and_begins_no_other():
    cancelled = threading.Event()
    recorder = Recorder()

    def fail():
        raise StackError("mysql ended: disk full")

    def wait_for_cancel():
        assert cancelled.wait(5)
        raise StackError("cancelled")

    steps = [Step("slow", wait_for_cancel), Step("bad", fail), Step("later", lambda: "", after=("bad",))]
    with pytest.raises(StackError, match="disk full"):
        run_steps(steps, recorder, cancelled.set)

    assert "later" not in recorder.began_steps


def test_steps_that_wait_for_each_other_are_refused():
    aborted = threading.Event()
    steps = [Step("a", str, after=("b",)), Step("b", str, after=("a",))]

    with pytest.raises(StackError, match="wait for each other: a, b"):
        run_steps(steps, Recorder(), aborted.set)

    assert aborted.is_set()
