"""The optimisers on problems whose answers are known, and what becomes of faults.

Tolerances are stated at each test: 1e-5 of the largest value where float32 meets a float64 reference, 1e-9 in float64.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor

from impasto.errors import OptimizationError
from impasto.objective import Evaluation
from impasto.optimizers import LBFGS, Adam, CurvatureMemory, Optimizer, Step
from impasto.preconditioning import FrequencyPreconditioner
from tests import reference
from tests.test_preconditioning import dense

SIZE = (6, 5)
NUMBERS = 3 * SIZE[0] * SIZE[1]

Evaluate = Callable[[Tensor], Evaluation]


def untouched(image: Tensor) -> Tensor:
    return image


def drawn(seed: int, size: tuple[int, int] = SIZE, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(1, 3, *size, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def differentiated(loss: Callable[[Tensor], Tensor]) -> Evaluate:
    """Value and gradient of a function of an image."""

    def evaluate(image: Tensor) -> Evaluation:
        leaf = image.detach().requires_grad_(True)
        value = loss(leaf)
        (gradient,) = torch.autograd.grad(value, leaf)
        return Evaluation(image=image.detach(), value=float(value.detach()), terms={}, gradient=gradient)

    return evaluate


def quadratic(condition: float = 1e4, factor: float = 1.0, dtype: torch.dtype = torch.float64) -> Evaluate:
    """½ (x − c)ᵀ A (x − c) with eigenvalues of A from 1 to `condition`, in a random basis; least at c = ½."""
    generator = torch.Generator().manual_seed(4)
    basis, _ = torch.linalg.qr(torch.randn(NUMBERS, NUMBERS, dtype=torch.float64, generator=generator))
    eigenvalues = torch.logspace(0, math.log10(condition), NUMBERS, dtype=torch.float64)
    A = (basis * eigenvalues @ basis.T).to(dtype)

    def loss(image: Tensor) -> Tensor:
        off = image.flatten() - 0.5
        return factor * 0.5 * off @ A @ off

    return differentiated(loss)


def faulty(evaluate: Evaluate, fails: Callable[[int], bool], fault: str = "nan") -> Evaluate:
    """`evaluate`, but for the calls (from 0) at which it returns what is not a finite number."""
    calls = iter(range(10**9))

    def broken(image: Tensor) -> Evaluation:
        found = evaluate(image)
        if not fails(next(calls)):
            return found
        value, gradient = found.value, found.gradient.clone()
        if fault == "gradient":
            gradient[0, 0, 0, 0] = float("nan")
        else:
            value = float(fault)
        return Evaluation(image=found.image, value=value, terms={}, gradient=gradient)

    return broken


OPTIMIZERS = {"lbfgs": LBFGS, "adam": Adam}


# --- Curvature


def pairs(count: int) -> tuple[list[Tensor], list[Tensor]]:
    """Steps, and the changes of the gradient of a quadratic along them."""
    generator = torch.Generator().manual_seed(1)
    root = torch.randn(NUMBERS, NUMBERS, dtype=torch.float64, generator=generator)
    A = root @ root.T / NUMBERS + 0.1 * torch.eye(NUMBERS, dtype=torch.float64)
    steps = [torch.randn(1, 3, *SIZE, dtype=torch.float64, generator=generator) for _ in range(count)]
    return steps, [(A @ step.flatten()).view(1, 3, *SIZE) for step in steps]


@pytest.mark.parametrize("count", [0, 1, 4, 10])
@pytest.mark.parametrize(("power", "scaling"), [(0.0, 1.0), (1.0, 1.0), (0.5, 3.0)])
def test_direction_is_that_of_dense_bfgs(count, power, scaling):
    # float64 on both sides, but for the preconditioner's response, the same float32 in both; 1e-9 of the largest entry.
    precondition = FrequencyPreconditioner(SIZE, power)
    memory = CurvatureMemory(10, scaling)
    steps, changes = pairs(count)
    assert all(memory.add(step, change) for step, change in zip(steps, changes, strict=True))
    gradient = drawn(7) - 0.5
    expected = reference.bfgs_direction(
        gradient.flatten().numpy(),
        [step.flatten().numpy() for step in steps],
        [change.flatten().numpy() for change in changes],
        dense(precondition, SIZE).numpy(),
        scaling,
    )
    found = memory.direction(gradient, precondition).flatten().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_only_the_last_pairs_are_remembered():
    steps, changes = pairs(5)
    long, short = CurvatureMemory(3), CurvatureMemory(3)
    for step, change in zip(steps, changes, strict=True):
        long.add(step, change)
    for step, change in zip(steps[2:], changes[2:], strict=True):
        short.add(step, change)
    gradient = drawn(7)
    assert len(long.steps) == len(long.changes) == 3
    assert torch.equal(long.direction(gradient, untouched), short.direction(gradient, untouched))


def test_a_pair_without_positive_curvature_is_not_remembered():
    step = drawn(0)
    memory = CurvatureMemory(3)
    assert not memory.add(step, -step)
    assert not memory.add(step, torch.zeros_like(step))
    assert not memory.add(torch.zeros_like(step), step)
    assert not memory.add(step, step * float("nan"))
    assert memory.steps == memory.changes == memory.curvatures == []
    assert memory.add(step, step)


def test_what_another_memory_knew_gives_the_same_direction():
    memory, other = CurvatureMemory(3), CurvatureMemory(3)
    for step, change in zip(*pairs(5), strict=True):
        memory.add(step, change)
    other.restore(memory.steps, memory.changes)
    gradient = drawn(7)
    assert torch.equal(other.direction(gradient, untouched), memory.direction(gradient, untouched))
    other.add(*(each[0] for each in pairs(1)))
    assert len(other.steps) == len(other.curvatures) == len(memory.steps)


@given(st.integers(2, 24), st.integers(2, 24))
def test_resized_curvature_stays_positive(height, width):
    memory = CurvatureMemory(6)
    for step, change in zip(*pairs(6), strict=True):
        memory.add(step, change)
    memory.resize((height, width))
    assert all(step.shape[-2:] == (height, width) for step in memory.steps)
    for step, change in zip(memory.steps, memory.changes, strict=True):
        assert float((step * change).sum()) > 0
    gradient = drawn(3, (height, width)) - 0.5
    direction = memory.direction(gradient, FrequencyPreconditioner((height, width), 1.0))
    assert float((direction * gradient).sum()) < 0


def test_curvature_means_the_same_at_another_size():
    # The loss is a mean over pixels: four times the pixels, a quarter of the gradient each. On smooth pairs the Newton
    # step that was learned on the small picture is that of the large one.
    def smooth(size: tuple[int, int]) -> Tensor:
        rows = torch.linspace(0, 1, size[0], dtype=torch.float64)
        return rows[:, None].expand(1, 3, *size).contiguous()

    small, large = (8, 8), (16, 16)
    memory = CurvatureMemory(3)
    memory.add(smooth(small), 2 * smooth(small) / math.prod(small))
    memory.resize(large)
    direction = memory.direction(2 * memory.steps[0] / math.prod(large), untouched)
    torch.testing.assert_close(direction, -memory.steps[0], rtol=1e-9, atol=1e-9)


# --- Descent


def run(
    optimizer: Optimizer,
    evaluate: Evaluate,
    start: Tensor,
    iterations: int,
    precondition: Callable[[Tensor], Tensor] = untouched,
) -> Iterator[Step]:
    return optimizer.descend(evaluate, start, iterations=iterations, precondition=precondition)


def rosenbrock(image: Tensor) -> Tensor:
    x = image.flatten()
    return (100 * (x[1:] - x[:-1].square()).square() + (1 - x[:-1]).square()).sum()


def test_lbfgs_solves_an_ill_conditioned_quadratic():
    evaluate = quadratic(1e3)
    steps = list(run(LBFGS(50), evaluate, drawn(0), 150))
    assert evaluate(steps[-1].image).value < 1e-9 * evaluate(drawn(0)).value


def test_a_longer_memory_helps():
    evaluate = quadratic(1e3)
    results = {history: list(run(LBFGS(history), evaluate, drawn(0), 150))[-1].image for history in (1, 20)}
    assert evaluate(results[20]).value < 0.1 * evaluate(results[1]).value


def test_lbfgs_walks_down_a_curved_valley():
    evaluate = differentiated(rosenbrock)
    start = torch.zeros(1, 3, 1, 2, dtype=torch.float64)
    steps = list(run(LBFGS(10), evaluate, start, 200))
    assert evaluate(steps[-1].image).value < 1e-6 * evaluate(start).value
    torch.testing.assert_close(steps[-1].image, torch.ones_like(start), rtol=0, atol=1e-2)


@pytest.mark.parametrize("problem", ["quadratic", "rosenbrock", "rough"])
def test_lbfgs_never_answers_with_a_higher_loss(problem):
    evaluate = {
        "quadratic": quadratic(1e6),
        "rosenbrock": differentiated(rosenbrock),
        # A ripple that no quadratic model foresees.
        "rough": differentiated(lambda x: (x - 0.5).square().sum() + 0.3 * torch.sin(40 * x).sum()),
    }[problem]
    values = [evaluate(step.image).value for step in run(LBFGS(10), evaluate, drawn(2), 120)]
    assert all(later <= earlier for earlier, later in pairwise(values))
    assert values[-1] < values[0]


def test_one_evaluation_for_one_iteration():
    calls: list[Tensor] = []
    evaluate = quadratic()
    for optimizer in (LBFGS(), Adam()):
        calls.clear()
        steps = list(run(optimizer, lambda image: calls.append(image) or evaluate(image), drawn(0), 12))
        assert len(calls) == len(steps) == 12
        for step, image in zip(steps, calls, strict=True):
            assert torch.equal(step.evaluation.image, image)
        assert torch.equal(steps[0].image, drawn(0))


def test_step_sizes_are_in_pixel_values():
    evaluate = quadratic(1e6, factor=1e-3)
    images = [
        step.evaluation.image for step in run(LBFGS(10, first_step=0.01, largest_step=0.03), evaluate, drawn(0), 20)
    ]
    sizes = [float((b - a).square().mean().sqrt()) for a, b in pairwise(images)]
    assert sizes[0] == pytest.approx(0.01, rel=1e-9)
    # From the image of least loss; after a step that was undone the images are up to two steps apart.
    assert max(sizes) < 0.06 * (1 + 1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("exponent", [-30, 30])
def test_powers_of_two_on_the_loss_change_not_one_bit(name, exponent):
    plain, scaled = (
        [
            step.image
            for step in run(
                OPTIMIZERS[name](),
                quadratic(1e3, factor, torch.float32),
                drawn(0, dtype=torch.float32),
                30,
                FrequencyPreconditioner(SIZE, 1.0),
            )
        ]
        for factor in (1.0, 2.0**exponent)
    )
    assert len(plain) == len(scaled) == 30
    assert all(torch.equal(a, b) for a, b in zip(plain, scaled, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_scale_of_the_loss_does_not_matter(name, factor):
    # Other factors round differently, and float32's rounding grows as the optimiser goes on: half a level of 255.
    plain, scaled = (
        list(run(OPTIMIZERS[name](), quadratic(100.0, f, torch.float32), drawn(0, dtype=torch.float32), 30))[-1].image
        for f in (1.0, factor)
    )
    torch.testing.assert_close(plain, scaled, rtol=0, atol=0.002)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_at_the_minimum_it_stays(name):
    start = torch.full((1, 3, *SIZE), 0.5, dtype=torch.float64)
    steps = list(run(OPTIMIZERS[name](), quadratic(), start, 10))
    assert len(steps) == 1
    assert torch.equal(steps[0].image, start)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_start_is_not_touched(name):
    start = drawn(0)
    list(run(OPTIMIZERS[name](), quadratic(), start, 10))
    assert torch.equal(start, drawn(0))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_carried_to_another_size_it_goes_on_down(name):
    optimizer = OPTIMIZERS[name]()

    def bowl(image: Tensor) -> Tensor:
        steepness = torch.logspace(0, 2, image.shape[-2], dtype=image.dtype)[:, None]
        return (steepness * (image - 0.5).square()).mean()

    evaluate = differentiated(bowl)
    *_, last = run(optimizer, evaluate, drawn(0, (8, 6)), 10)
    optimizer.resize((13, 9))
    start = torch.nn.functional.interpolate(last.image, size=(13, 9))
    *_, last = run(optimizer, evaluate, start, 10)
    assert last.image.shape == start.shape
    assert evaluate(last.image).value < evaluate(start).value


def test_adam_is_its_definition():
    # float64 on both sides; the images after forty steps agree to 1e-9.
    evaluate = quadratic(1e3)
    answers = [
        step.image.flatten().numpy()
        for step in run(Adam(0.03, averaging=0.8, betas=(0.8, 0.95)), evaluate, drawn(0), 40)
    ]
    expected = reference.adam(
        lambda x: evaluate(torch.from_numpy(x).view(1, 3, *SIZE)).gradient.flatten().numpy(),
        drawn(0).flatten().numpy(),
        40,
        learning_rate=0.03,
        averaging=0.8,
        betas=(0.8, 0.95),
    )
    np.testing.assert_allclose(answers, expected, rtol=0, atol=1e-9)


def test_adam_without_averaging_answers_with_the_last_image():
    for step in run(Adam(averaging=0.0), quadratic(), drawn(0), 10):
        assert torch.equal(step.image, step.evaluation.image)


# --- Faults


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("fault", ["nan", "inf", "-inf", "gradient"])
def test_a_start_that_is_not_finite_is_an_error(name, fault):
    with pytest.raises(OptimizationError, match="at the start"):
        list(run(OPTIMIZERS[name](), faulty(quadratic(), lambda _: True, fault), drawn(0), 10))


@pytest.mark.promise("bad-gradients")
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("fault", ["nan", "inf", "-inf", "gradient"])
def test_faults_that_stay_end_in_an_error_and_the_best_image_is_kept(name, fault):
    seen: list[Step] = []
    calls = iter(range(10**9))
    evaluate = faulty(quadratic(), lambda _: next(calls) >= 5, fault)
    with pytest.raises(OptimizationError, match="8 shorter steps"):
        for step in run(OPTIMIZERS[name](), evaluate, drawn(0), 100):
            seen.append(step)  # noqa: PERF402 - the list is looked at after the error
    assert len(seen) == 5 + 7
    assert torch.equal(seen[-1].image, seen[4].image)
    assert torch.isfinite(seen[-1].image).all()


@pytest.mark.promise("bad-gradients")
@pytest.mark.parametrize("name", OPTIMIZERS)
@hypothesis_settings(max_examples=25)
@given(fault=st.sampled_from(["nan", "inf", "-inf", "gradient"]), broken=st.sets(st.integers(1, 39), max_size=20))
def test_faults_now_and_then_are_walked_around(name, fault, broken):
    # Not more than seven in a row: those after them are let pass.
    allowed = {call for call in broken if not {*range(call - 7, call)} <= broken}
    evaluate = quadratic(100.0)
    steps = list(
        run(OPTIMIZERS[name](), faulty(evaluate, allowed.__contains__, fault), drawn(0), 40),
    )
    assert len(steps) == 40
    assert all(torch.isfinite(step.image).all() for step in steps)
    values = [evaluate(step.image).value for step in steps]
    assert values[-1] < values[0]
    if name == "lbfgs":
        assert all(later <= earlier for earlier, later in pairwise(values))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_faults_that_do_not_follow_one_another_are_not_counted_together(name):
    # Every other evaluation is not finite, and the rest never lower the loss: no run of faults, so no error.
    def uphill(image: Tensor) -> Evaluation:
        return Evaluation(image=image, value=next(values), terms={}, gradient=torch.ones_like(image))

    values = iter(float(n) for n in range(1000))
    steps = list(run(OPTIMIZERS[name](), faulty(uphill, lambda call: call % 2 == 1), drawn(0), 40))
    assert len(steps) == 40


def test_lbfgs_walks_along_a_cliff():
    """The loss is infinite beyond a wall that lies between the start and the slope's end."""

    def walled(image: Tensor) -> Evaluation:
        found = differentiated(lambda x: (x - 2.0).square().mean())(image)
        beyond = float(image.max()) > 1.0
        value = math.inf if beyond else found.value
        return Evaluation(image=found.image, value=value, terms={}, gradient=found.gradient)

    start = torch.full((1, 3, 4, 4), 0.5, dtype=torch.float64)
    image = start
    # However near the wall it ends, it never answers with what lies beyond.
    with contextlib.suppress(OptimizationError):
        for step in run(LBFGS(), walled, start, 60):
            image = step.image
    assert float(image.max()) <= 1.0
    assert float(image.mean()) > 0.95


def test_adam_shortens_its_steps_for_good_after_a_fault():
    optimizer = Adam(0.1, averaging=0.0)
    steps = list(run(optimizer, faulty(quadratic(), {3}.__contains__), drawn(0), 6))
    assert optimizer.learning_rate == pytest.approx(0.03)
    # The fault is in what was evaluated, and not in the answer; the next step starts where the last good one ended.
    assert torch.equal(steps[3].image, steps[2].image)
    assert float((steps[4].evaluation.image - steps[2].image).abs().max()) < 0.1
