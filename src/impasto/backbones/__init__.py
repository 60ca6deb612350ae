"""Owns the networks whose features define content and style: frozen, without classifier, layers by name."""

from impasto.backbones.vgg import VGG19

__all__ = ["VGG19"]
