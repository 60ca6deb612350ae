"""What a fast model is trained with: the loss of a batch, warps, crops from a stack, and the schedule."""

from __future__ import annotations

import math

import pytest
import torch

from impasto.fast import warps
from impasto.fast.network import NetworkArchitecture
from impasto.fast.stacks import PictureStack
from impasto.fast.styles import Styles
from impasto.fast.trainable import Model
from impasto.fast.trainer import Trainer
from impasto.fast.training import LOSS, Training
from impasto.images import Image
from impasto.objective import evaluate
from impasto.settings import Settings
from tests.conftest import painting_pixels, photo_pixels

SMALL = NetworkArchitecture(fine=4, middle=8, coarse=8, blocks=1)


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + number) for number in range(count)]


@pytest.fixture(scope="module")
def styles() -> Styles:
    return Styles([Image(pixels=painting_pixels(64, 80)), Image(pixels=photo_pixels(80, 64))], LOSS)


def test_the_loss_is_the_optimise_engines_but_for_the_border():
    assert LOSS.changed() == {"padding": "reflect"}
    assert [*Settings().style_layers.values()] == [16, 8, 4, 2, 1]


def test_the_loss_of_a_batch_is_that_of_each_picture(styles):
    photographs = torch.cat([photo_pixels(48, 64), photo_pixels(64, 48).mT])
    pastiches = (photographs + 0.2 * painting_pixels(48, 64)).requires_grad_()
    terms = styles.terms(pastiches, photographs, [1, 0])
    (gradient,) = torch.autograd.grad(torch.stack([*terms.values()]).sum(), pastiches)
    terms = {name: values.detach() for name, values in terms.items()}
    for place, index in enumerate([1, 0]):
        objective = styles.objective(index, photographs[place : place + 1])
        expected = evaluate(objective, pastiches[place : place + 1].detach())
        assert terms.keys() == expected.terms.keys()
        for name, value in expected.terms.items():
            assert float(terms[name][place]) == pytest.approx(value, rel=1e-4, abs=1e-7), name
        error = (gradient[place] - expected.gradient[0]).norm() / expected.gradient.norm()
        # float32: sums in another order.
        assert error < 1e-4


def test_half_precision_sums_are_nearly_exact():
    halves = Styles([Image(pixels=painting_pixels(64, 64))], LOSS, dtype=torch.bfloat16)
    pastiches, photographs = painting_pixels(48, 48).flip(-1), photo_pixels(48, 48)
    expected = evaluate(halves.objective(0, photographs), pastiches)
    terms = halves.terms(pastiches, photographs, [0])
    assert float(torch.stack([*terms.values()]).sum()) == pytest.approx(expected.value, rel=0.01)


def test_targets_beyond_the_limit_are_not_kept(styles):
    some = Styles(styles.paintings, LOSS, targets=1)
    some.prepare()
    assert len(some._objectives) == 1
    picture = photo_pixels(32, 32)
    one, other = (which.terms(picture, picture, [1]) for which in (some, styles))
    assert {name: float(value) for name, value in one.items()} == pytest.approx(
        {name: float(value) for name, value in other.items()}, rel=1e-4
    )


def test_a_motion_by_whole_pixels_only_moves():
    picture = photo_pixels(40, 40)
    motion = torch.tensor([[[1.0, 0.0, 2 * 3 / 40], [0.0, 1.0, 2 * -2 / 40]]])
    moved = warps.warped(picture, motion)
    torch.testing.assert_close(moved[..., 5:-5, 5:-5], picture[..., 3:-7, 8:-2], rtol=0, atol=1e-4)


def test_motions_are_small_and_half_of_them_exact():
    motions = warps.drawn(generators(200), 64)
    turns = motions[:, :, :2] - torch.eye(2)
    exact = turns.abs().amax((1, 2)) == 0
    assert 60 < int(exact.sum()) < 140
    shifts = motions[exact][:, :, 2] * 32
    torch.testing.assert_close(shifts, shifts.round())
    assert set(shifts.round().flatten().tolist()) == {-3, -2, -1, 0, 1, 2, 3}
    # The corners move most, and by less than the margin.
    corner = torch.tensor([1.0, 1.0])
    moved = (motions[:, :, :2] @ corner + motions[:, :, 2] - corner).abs().max() * 32
    assert float(moved) < warps.margin(64)


def test_crops_of_a_stack_lie_in_its_pictures():
    ramp = torch.arange(96).view(1, 1, 96) * 2
    levels = torch.stack([ramp.expand(3, 96, 96), ramp.mT.expand(3, 96, 96)]).byte()
    stack = PictureStack(levels)
    crops = stack.crops(32, generators(60))
    assert crops.shape == (60, 3, 32, 32)
    assert torch.equal(crops, stack.crops(32, generators(60)))
    assert float(crops.min()) >= 0
    assert float(crops.max()) <= 190 / 255
    across = (crops[:, 0, :, -1] - crops[:, 0, :, 0]).mean(1) * 255
    # Along the ramp, 31 of the result's pixels are between 31 and 93 of the picture's; half are mirrored.
    rising = across[across.abs() > 1]
    assert 15 < len(rising) < 45
    assert bool(((rising.abs() > 61) & (rising.abs() < 187)).all())
    assert 3 < int((rising < 0).sum()) < len(rising) - 3


def test_a_crop_as_large_as_the_picture_is_the_picture():
    picture = photo_pixels(48, 48)
    levels = (picture * 255).byte()
    for seed in range(4):
        crop = PictureStack(levels).crops(48, generators(1, seed))
        expected = levels.float() / 255
        error = min(float((crop - one).abs().max()) for one in (expected, expected.flip(-1)))
        assert error < 1e-5


def test_every_other_step_has_smaller_crops():
    training = Training(side=192)
    assert [training.side_at(step) for step in range(3)] == [128, 192, 128]
    assert Training(side=64).side_at(0) == 48


def test_a_schedule_begins_where_it_is_told():
    later = Training(steps=300, begin=200, learning_rate=1.0)
    whole = Training(steps=100, learning_rate=1.0)
    assert [later.rate(step) for step in range(200, 300)] == [whole.rate(step) for step in range(100)]


def trainer(**training: float) -> Trainer:
    torch.manual_seed(3)
    stack = PictureStack((photo_pixels(96, 96) * 255).byte())
    return Trainer(
        Model(SMALL, styles=1),
        [Image(pixels=painting_pixels(64, 64))],
        stack,
        Training(**{"steps": 40, "side": 48, "batch": 2, "identity": 0.0, **training}),  # type: ignore[arg-type]
        precision="float32",
    )


def test_a_stack_is_trained_on_as_a_folder_is():
    (first, *_, last) = trainer(steps=12, learning_rate=0.01).run()
    assert last.value < first.value
    assert math.isfinite(first.terms["steadiness"])


def test_training_makes_the_network_steady():
    """The same steps without and with the term: what a shift of a pixel changes."""

    def unsteadiness(weight: float) -> float:
        training = trainer(steadiness=weight, steps=15, learning_rate=0.01)
        list(training.run())
        model = training.model.with_weights(
            {name: value.clone() for name, value in training.model.state_dict().items()}
        )
        picture = photo_pixels(80, 80)
        one, moved = (model.network(shown, model.table) for shown in (picture[..., :-1], picture[..., 1:]))
        return float((one[..., 9:-8] - moved[..., 8:-9]).square().mean())

    assert unsteadiness(2000.0) < 0.8 * unsteadiness(0.0)
