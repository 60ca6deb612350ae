"""Owns figures that explain what the layers of a network represent of a picture, for people who learn the method.

The method itself computes what they show: `method.stylization` paints reconstructions, the backbone gives features,
Gram matrices come from Moments.

| module | owns |
|---|---|
| `subjects` | what can be explained, with which settings |
| `features` | the layers that are explained, and their features of the picture |
| `drawing` | parts that all figures share: a heading, pictures under titles |
| `reconstructions` | pictures painted from the features of some layers, and their figure |
| `gram` | which feature maps go together, and the figure of Gram matrices |
| `receptive_fields` | what one feature sees, what pooling keeps, and the figure of both |
| `explanation` | from a picture to its figure, step by step |
"""
