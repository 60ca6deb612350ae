"""Owns how an order is looked at before it is taken in: its pictures found, its settings checked, its cost foretold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from impasto.settings import Settings
from impasto.web import orders
from impasto.web.children import Children
from impasto.web.job import NoSuchJobError
from impasto.web.jobs import Jobs
from impasto.web.pictures import Pictures
from impasto.web.problems import Problem


class Intake:
    """Looks at orders.

    Args:
        jobs, pictures: what may be referred to.
        children: look as closely as painting will.
        max_pixels: of a result.

    Attributes:
        speed: of this machine, as `tasks.speed` says it; None while it is not known.
    """

    def __init__(self, jobs: Jobs, pictures: Pictures, children: Children, max_pixels: int) -> None:
        self._jobs, self._pictures, self._children, self._max_pixels = jobs, pictures, children, max_pixels
        self.speed: dict[str, Any] | None = None

    def refer(self, ref: str, field: str) -> dict[str, str]:
        """The picture that a reference stands for: its id, and what it is called.

        Raises:
            Problem: there is none.
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
                    raise Problem("invalid", "write sample:NAME, picture:ID or job:ID; addresses are not fetched")
        except (Problem, NoSuchJobError) as error:
            detail = error.detail if isinstance(error, Problem) else "there is no such job"
            raise Problem("invalid", f"{field}: {detail}", errors=[{"field": field, "message": detail}]) from None
        self._pictures.keep(picture.id)
        return {"id": picture.id, "name": picture.name}

    def resolved(self, order: orders.JobOrder) -> tuple[dict[str, Any], Settings]:
        """An order's pictures found and its settings checked, as a job notes them.

        Raises:
            Problem, SettingsError: something in it is wrong.
        """
        settings = order.chosen()
        content = self.refer(order.content, "content")
        styles = [self.refer(one.ref, f"styles.{place}") for place, one in enumerate(order.paintings)]
        spec = {
            "name": orders.name_of(content["name"], [one["name"] for one in styles]),
            "preset": order.preset,
            "content": content,
            "styles": styles,
            **self.guides(order.masks, order.style_masks, order.content_map),
            "init": None if order.init is None else self.refer(order.init, "init"),
        }
        return spec, settings

    def guides(self, masks: Sequence[str], style_masks: Sequence[str], content_map: str | None) -> dict[str, Any]:
        """Masks found, as a job notes them.

        Raises:
            Problem: one is not there.
        """
        return {
            "masks": [self.refer(ref, f"masks.{place}") for place, ref in enumerate(masks)],
            "style_masks": [self.refer(ref, f"style_masks.{place}") for place, ref in enumerate(style_masks)],
            "content_map": None if content_map is None else self.refer(content_map, "content_map"),
        }

    def foretell(self, spec: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """What a job will take, found out in a child that looks at it as closely as painting will.

        Raises:
            Problem: it cannot be painted.
        """
        return self.foretell_each(spec, [settings])[0]

    def foretell_each(self, spec: Mapping[str, Any], wishes: Sequence[Settings]) -> list[dict[str, Any]]:
        """What jobs of the same pictures will take, one for each of the settings.

        Raises:
            Problem: one of them cannot be painted.
        """
        content_map = spec["content_map"]
        foretold: list[dict[str, Any]] = self._children.run(
            "foretell",
            {
                "settings": [settings.to_mapping() for settings in wishes],
                "content": self._measured(spec["content"]),
                "styles": [self._measured(one) for one in spec["styles"]],
                "masks": [self._path(one) for one in spec["masks"]],
                "style_masks": [self._path(one) for one in spec["style_masks"]],
                "content_map": None if content_map is None else self._path(content_map),
            },
            self._max_pixels,
            self.speed,
        )
        for told in foretold:
            known = [told["memory_free"], told["memory_total"]]
            told["fits"] = None in known or told["memory_bytes"] <= known[0]
            told["possible"] = None in known or told["memory_bytes"] <= known[1]
        return foretold

    def _measured(self, one: Mapping[str, str]) -> dict[str, Any]:
        picture = self._pictures.get(one["id"])
        return {"path": self._path(one), "size": [picture.height, picture.width]}

    def _path(self, one: Mapping[str, str]) -> str:
        return str(self._pictures.path(one["id"]))

    @staticmethod
    def check_memory(told: Mapping[str, Any]) -> None:
        """Refuse what this machine can never have the memory for.

        Raises:
            Problem: it cannot.
        """
        if not told["possible"]:
            gib = 1 << 30
            raise Problem(
                "too-much-memory",
                f"it would take {told['memory_bytes'] / gib:.1f} GiB, and this machine has "
                f"{told['memory_total'] / gib:.1f}; choose a smaller size",
                setting="size",
            )
