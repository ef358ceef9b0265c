"""Makes the CloudFormation template of a service. Start reading at `build`.

Python calls `watchbot.template(options)`, because this package is callable.
"""

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from watchbot.errors import MissingExtra

try:
    import troposphere  # noqa: F401 - fails early without it: each module needs it
except ImportError as missing:
    raise MissingExtra("template", "watchbot template") from missing


class _Package(ModuleType):
    # Python sets each imported package as an attribute of its parent. So an import of one of our
    # modules would replace the function `watchbot.template` by this package.
    def __call__(self, options: Mapping[str, Any]) -> Any:
        from watchbot.template.build import template

        return template(options)


sys.modules[__name__].__class__ = _Package
