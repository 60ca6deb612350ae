"""Owns the exported page, which paints in the browser: a folder of files for any static web server.

| module | owns |
|---|---|
| `folder` | writing the folder |
| `runtime` | getting ONNX Runtime Web, which runs the models in the browser |

`static/` has the page's own files; those it shares with the studio are copied from `impasto/web/static/`.
"""

from impasto.webpage.folder import write

__all__ = ["write"]
