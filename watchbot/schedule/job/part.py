"""The base of the parts of a body: fields that JSON names in camel case, as ECS does."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class JobPart(BaseModel):
    """A part that takes no other fields than its own: a slip of the pen is told."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")
