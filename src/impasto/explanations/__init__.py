"""Owns figures that explain: what a network's layers know of a picture, drawn for whoever learns the method.

What they show is computed by the method itself: reconstructions are painted by `method.stylization`, features come from
the backbone, Gram matrices from Moments.

| module | owns |
|---|---|
| `subjects` | what can be explained, with which settings |
| `seeing` | at which layers and size a picture is looked at, and its features |
| `reconstructions` | pictures painted from what some layers know |
| `correlations` | which feature maps go together, and in what order they are shown |
| `fields` | what one feature sees, and what pooling keeps |
| `drawing` | what the figures have in common: a heading, pictures under titles |
| `sheets`, `matrices`, `networks` | the figures |
| `explanation` | from a picture to its figure, step by step |
"""
