"""Owns the validation of jobs before they are queued: references resolved, settings checked, cost estimated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from impasto.settings import Settings
from impasto.web.problems import Problem
from impasto.web.queue.job import JobSpec, NamedPicture, NoSuchJobError
from impasto.web.queue.jobs import Jobs
from impasto.web.sandbox.messages import EstimateInput, JobEstimate, SizedPicture
from impasto.web.sandbox.sandbox import Sandbox
from impasto.web.schema import requests
from impasto.web.storage.pictures import PictureStore


class Masks(TypedDict):
    """The masks of a job, as in `JobSpec`."""

    masks: list[NamedPicture]
    style_masks: list[NamedPicture]
    content_map: NamedPicture | None


class JobValidator:
    """Validates jobs.

    Args:
        jobs, pictures: what references may name.
        sandbox: makes the checks that need the pictures' contents.
        max_pixels: limit for a result.

    Attributes:
        speed: of this machine, as the sandbox measured it; None until then.
    """

    def __init__(self, jobs: Jobs, pictures: PictureStore, sandbox: Sandbox, max_pixels: int) -> None:
        self._jobs, self._pictures, self._sandbox, self._max_pixels = jobs, pictures, sandbox, max_pixels
        self.speed: dict[str, Any] | None = None

    def resolve(self, ref: str, field: str) -> NamedPicture:
        """The picture that a reference names.

        Args:
            ref: `sample:NAME`, `picture:ID` or `job:ID`.
            field: of the request, for the error.

        Raises:
            Problem: there is no such picture.
        """
        kind, _, name = ref.partition(":")
        try:
            match kind:
                case "sample":
                    picture = self._pictures.sample(name)
                case "picture":
                    picture = self._pictures.get(name)
                case "job":
                    result = self._jobs.get(name).result
                    if result is None:
                        raise Problem("invalid", "that job has no result yet")
                    picture = self._pictures.get(result["id"])
                case _:
                    raise Problem("invalid", "write sample:NAME, picture:ID or job:ID; URLs are not fetched")
        except (Problem, NoSuchJobError) as error:
            detail = error.detail if isinstance(error, Problem) else "there is no such job"
            raise Problem("invalid", f"{field}: {detail}", errors=[{"field": field, "message": detail}]) from None
        self._pictures.keep(picture.id)
        return {"id": picture.id, "name": picture.name}

    def spec(self, request: requests.JobRequest) -> tuple[JobSpec, Settings]:
        """What to paint, and the complete settings.

        Raises:
            Problem, SettingsError: a reference or a setting is wrong.
        """
        settings = request.chosen()
        content = self.resolve(request.content, "content")
        styles = [self.resolve(style.ref, f"styles.{index}") for index, style in enumerate(request.weighted_styles)]
        masks = self.masks(request.masks, request.style_masks, request.content_map)
        spec: JobSpec = {
            "name": requests.job_name(content["name"], [style["name"] for style in styles]),
            "preset": request.preset,
            "content": content,
            "styles": styles,
            "masks": masks["masks"],
            "style_masks": masks["style_masks"],
            "content_map": masks["content_map"],
            "init": None if request.init is None else self.resolve(request.init, "init"),
        }
        return spec, settings

    def masks(self, masks: Sequence[str], style_masks: Sequence[str], content_map: str | None) -> Masks:
        """The masks that references name.

        Raises:
            Problem: there is no such picture.
        """
        return {
            "masks": [self.resolve(ref, f"masks.{index}") for index, ref in enumerate(masks)],
            "style_masks": [self.resolve(ref, f"style_masks.{index}") for index, ref in enumerate(style_masks)],
            "content_map": None if content_map is None else self.resolve(content_map, "content_map"),
        }

    def estimate(self, spec: JobSpec, settings: Settings) -> JobEstimate:
        """What a job would need, after all the checks that painting it would make.

        Raises:
            Problem: it cannot be painted.
        """
        return self.estimate_all(spec, [settings])[0]

    def estimate_all(self, spec: JobSpec, settings: Sequence[Settings]) -> list[JobEstimate]:
        """What jobs with the same pictures would need, one for each of the settings.

        Raises:
            Problem: one of them cannot be painted.
        """
        content_map = spec["content_map"]
        jobs: EstimateInput = {
            "settings": [each.to_mapping() for each in settings],
            "content": self._sized(spec["content"]),
            "styles": [self._sized(style) for style in spec["styles"]],
            "masks": [self._path(mask) for mask in spec["masks"]],
            "style_masks": [self._path(mask) for mask in spec["style_masks"]],
            "content_map": None if content_map is None else self._path(content_map),
        }
        estimates: list[JobEstimate] = self._sandbox.run("estimate", jobs, self._max_pixels, self.speed)
        return estimates

    def _sized(self, picture: NamedPicture) -> SizedPicture:
        found = self._pictures.get(picture["id"])
        return {"path": self._path(picture), "size": [found.height, found.width]}

    def _path(self, picture: NamedPicture) -> str:
        return str(self._pictures.path(picture["id"]))


def fits(estimate: JobEstimate) -> bool:
    """Whether the memory that is free now suffices; true if it is unknown."""
    free = estimate["memory_free"]
    return free is None or estimate["memory_bytes"] <= free


def exceeds_memory(estimate: JobEstimate) -> bool:
    """Whether the job needs more memory than this machine has; false if that is unknown."""
    total = estimate["memory_total"]
    return total is not None and estimate["memory_bytes"] > total


def check_memory(estimate: JobEstimate) -> None:
    """Refuse a job that needs more memory than this machine has.

    Raises:
        Problem: it does.
    """
    if exceeds_memory(estimate):
        gib = 1 << 30
        raise Problem(
            "too-much-memory",
            f"it would take {estimate['memory_bytes'] / gib:.1f} GiB, and this machine has "
            f"{(estimate['memory_total'] or 0) / gib:.1f}; choose a smaller size",
            setting="size",
        )
