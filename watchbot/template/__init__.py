"""`watchbot template`: the stack of CloudFormation that a service needs. Start reading at `build`.

`watchbot.template(options)` is the way in for Python: this package can be called.
"""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from watchbot.errors import MissingExtra

try:
    import troposphere  # noqa: F401 -- each module here needs it: who lacks it is told at once
except ImportError as missing:
    raise MissingExtra("template", "watchbot template") from missing


class _Package(ModuleType):
    # Python puts each package that it imports into the one above it: whoever imports a module of
    # ours would turn the function `watchbot.template` into this package.
    def __call__(self, options: Mapping[str, Any]) -> Any:
        from watchbot.template.build import template

        return template(options)


sys.modules[__name__].__class__ = _Package
