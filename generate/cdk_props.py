"""Makes watchbot/cdk/props.py: the properties of the construct, from the template's options."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from watchbot.cdk.names import OLD_NAMES
from watchbot.settings.base import Settings
from watchbot.settings.template import TemplateSettings

_START = '''\
"""The properties of `watchbot.cdk.Service`, by type. Made by `make docs`.

Each value may hold tokens of CDK. `docs/reference/template.md` describes the options.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from aws_cdk import Duration
from aws_cdk.aws_ec2 import ISecurityGroup, ISubnet
from aws_cdk.aws_ecr_assets import DockerImageAsset
from aws_cdk.aws_ecs import ICluster
from aws_cdk.aws_iam import IManagedPolicy, PolicyStatement
from aws_cdk.aws_kms import IKey
from aws_cdk.aws_s3 import IBucket
from aws_cdk.aws_secretsmanager import ISecret
from aws_cdk.aws_sns import ITopic


class ServiceProps(TypedDict, total=False):
    """What `Service` may be given. `service` is its id by default; `image` is required."""
'''
_OLD = "    # The names of ecs-watchbot 10, where they mean the same.\n"
_CONSTRUCTS = {  # of CDK, which the option takes beside a text
    "image": "DockerImageAsset",
    "cluster": "ICluster",
    "subnets": "ISubnet",
    "security_groups": "ISecurityGroup",
    "permissions_boundary": "IManagedPolicy",
    "kms_key": "IKey",
    "notification_topic": "ITopic",
    "function_bucket": "IBucket",
    "database": "ISecret",
    "token": "ISecret",
}
_OWN = {
    "permissions": "Sequence[Mapping[str, Any] | PolicyStatement]",
    "secrets": "Mapping[str, str | ISecret]",
    "env": "Mapping[str, str]",
    "tags": "Mapping[str, str]",
    "capacity": "str | Mapping[str, int]",
    "command": "str | Sequence[str]",
    "public_ip": "str | bool",
}


def cdk_props() -> str:
    """The module's text."""
    fields = {
        name: field
        for name, field in TemplateSettings.model_fields.items()
        if name not in Settings.model_fields
    }
    kinds = {name: _type(name, field) for name, field in fields.items()}
    rows = [
        f"    # {field.description}\n    {name}: {kinds[name]}\n" for name, field in fields.items()
    ]
    old = [f"    {old}: {kinds[new]}\n" for old, new in OLD_NAMES.items()]
    return _START + "\n" + "".join(rows) + "\n" + _OLD + "".join(old)


def _type(name: str, field: FieldInfo) -> str:
    if name in _OWN:
        return _OWN[name]
    kind = " | ".join(dict.fromkeys(_words(field.annotation))) or "Mapping[str, Any]"
    if name in _CONSTRUCTS:
        kind = kind.replace("str", f"str | {_CONSTRUCTS[name]}")
    extra = field.json_schema_extra
    in_seconds = isinstance(extra, dict) and extra["metavar"] == "S"
    return f"{kind} | Duration" if in_seconds else kind


def _words(annotation: Any) -> Iterator[str]:
    """Yields the types of plain values that an option takes, as the source has them."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _words(inner[0])
    elif origin in {Union, types.UnionType}:
        for each in inner:
            yield from _words(each)
    elif origin is Literal:
        yield f"Literal[{', '.join(map(repr, inner))}]".replace("'", '"')
    elif origin is tuple:
        of_any = inner[0] is Any
        yield "Sequence[Mapping[str, Any]]" if of_any else "Sequence[str]"
    elif annotation in {str, int, bool}:
        yield annotation.__name__
