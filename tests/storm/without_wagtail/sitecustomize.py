"""Makes Wagtail, and what only it needs, look uninstalled; Python imports this file at its start.

It works in any process that has this folder on its PYTHONPATH.
"""

import sys
from importlib.machinery import PathFinder

_MISSING = (
    "wagtail",
    "modelcluster",
    "taggit",
    "treebeard_wagtail",
    "modelsearch",
    "draftjs_exporter",
)


class _Finder(PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname.partition(".")[0] in _MISSING:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path[:] = [_Finder if finder is PathFinder else finder for finder in sys.meta_path]
