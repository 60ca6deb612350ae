"""Owns the page that paints in the browser: a folder of files that any web server can serve, and no server paints.

| module | owns |
|---|---|
| `folder` | what lies in the folder |
| `runtime` | ONNX Runtime Web, which computes in the browser |

`static/` has the page's own files; what it shares with the studio is copied from the studio's `static/`.
"""

from impasto.webpage.folder import write

__all__ = ["write"]
