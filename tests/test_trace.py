"""The trace: it grows without copies, and a trace that is kept never changes."""

import pytest

from impasto.trace import Trace, TracePoint


def point(iteration: int) -> TracePoint:
    return TracePoint(0, (32, 48), iteration, 1.0 / iteration, {"tv": 1.0 / iteration})


def grown(length: int) -> list[Trace]:
    traces = [Trace()]
    for iteration in range(1, length + 1):
        traces.append(traces[-1].extended(point(iteration)))
    return traces


def test_a_trace_that_is_kept_does_not_grow():
    traces = grown(5)
    assert [len(trace) for trace in traces] == [0, 1, 2, 3, 4, 5]
    assert list(traces[3]) == [point(1), point(2), point(3)]
    assert traces[3][-1] == point(3)
    assert traces[3][1:] == (point(2), point(3))
    with pytest.raises(IndexError):
        traces[3][3]


def test_two_ways_on_from_one_trace_do_not_mix():
    trace = grown(2)[-1]
    one, other = trace.extended(point(3)), trace.extended(point(9))
    assert [each.iteration for each in one] == [1, 2, 3]
    assert [each.iteration for each in other] == [1, 2, 9]
    assert list(trace) == [point(1), point(2)]


def test_the_points_of_a_long_run_are_kept_once():
    traces = grown(1000)
    assert len({id(trace._points) for trace in traces[1:]}) == 1


def test_traces_are_equal_by_their_points():
    assert grown(3)[-1] == Trace([point(1), point(2), point(3)]) == (point(1), point(2), point(3))
    assert grown(3)[-1] != grown(4)[-1]
