"""The base of the parts of a body, whose fields have camel case names in JSON, as in ECS."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class JobPart(BaseModel):
    """A part of a body; refuses unknown fields, to report misspelt names."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")
