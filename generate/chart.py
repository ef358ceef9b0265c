"""Makes two files of charts/watchbot: Chart.yaml, and values.schema.json from the settings."""

import json
import re
from typing import Any

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from watchbot import __version__
from watchbot.settings.base import Settings
from watchbot.settings.console import ConsoleSettings
from watchbot.settings.listen import ListenSettings
from watchbot.settings.record import RecordSettings
from watchbot.settings.schedule import ScheduleSettings

_CHART = f"""\
# Made by `make docs`.
apiVersion: v2
name: watchbot
description: Runs a command for every message of an SQS queue, safely and fast
type: application
version: {__version__}
appVersion: "{__version__}"
kubeVersion: ">=1.30.0-0" # a pause before the signal that needs no program in the image
"""

KINDS: dict[str, type[Settings]] = {
    "listen": ListenSettings,
    "record": RecordSettings,
    "schedule": ScheduleSettings,
    "console": ConsoleSettings,
}
# What the chart sets; what is a secret; what makes a service end, so that Kubernetes restarts it.
_NOT_OPTIONS = {"host", "http_host", "metrics_host"}
_ENDS = {"exit_when_empty", "exit_wait", "local"}

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}
_TEXTS = {"type": "array", "items": _TEXT}
_FLAG = {"type": "boolean"}
_PLAIN = {"type": ["string", "number", "boolean"]}


def chart() -> str:
    """Chart.yaml, with the version of the package."""
    return _CHART


def values_schema() -> str:
    """values.schema.json. The options of each kind are those of its settings class."""
    schema = {
        "$comment": "Made by `make docs`.",
        "$schema": "http://json-schema.org/draft-07/schema#",
        **_closed(_VALUES),
        "required": ["kind", "image", "options"],
        "allOf": [
            *({"if": _is(kind), "then": _of_kind(kind)} for kind in KINDS),
            {"if": _on("keda"), "then": {"properties": {"kind": {"const": "listen"}}}},
            {"if": _on("keda"), "then": {"properties": {"hpa": _OFF}}},
        ],
    }
    return json.dumps(schema, indent=2) + "\n"


def options_of(settings: type[Settings]) -> dict[str, Any]:
    """The JSON schema of each option that a pod may be given, by its name in camelCase."""
    found = {}
    for name, schema in settings.model_json_schema()["properties"].items():
        if name not in _NOT_OPTIONS | _ENDS and not name.endswith("token"):
            found[_camel(name)] = _option(schema, listed=_splits(settings.model_fields[name]))
    return found


def _splits(field: FieldInfo) -> bool:
    """Whether a variable gives the option several values, between commas."""
    return any(isinstance(each, BeforeValidator) for each in field.metadata)


def _option(schema: dict[str, Any], *, listed: bool) -> dict[str, Any]:
    about = {"description": schema["description"]}
    if "anyOf" in schema:
        (schema,) = (each for each in schema["anyOf"] if each != {"type": "null"})
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if schema.get("type") == "array":
        return {**about, "type": ["string", "array"] if listed else "string", "items": _TEXT}
    words = re.findall(r"\|([a-z]+)\b", str(schema.get("metavar") or ""))
    if words and "enum" not in kept:
        return {**about, "anyOf": [kept, {"enum": words}]}
    return {**about, **kept}


_KEPT = {"type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern"}


def _of_kind(kind: str) -> dict[str, Any]:
    known = options_of(KINDS[kind])
    known.setdefault("drainTimeout", {"type": "number"})
    for name in _PORTS & known.keys():
        known[name]["minimum"] = 1  # the pod must know it
    if "queueUrl" in known:
        known["queueUrl"] |= {"pattern": _ADDRESS, "items": {"type": "string", "pattern": _ADDRESS}}
    options = {**_closed(known), "required": ["drainTimeout", "metricsPort"]}
    needs: dict[str, Any] = {"properties": {"options": options}}
    if kind in {"listen", "record"}:
        options["required"] = [*options["required"], "queueUrl"]
    if kind == "listen":
        own_runtime = {"properties": {"options": {"properties": {"warm": {"const": "lambda"}},
                                                  "required": ["warm"]}}}  # fmt: skip
        some = {"properties": {"command": {"minItems": 1}}}
        return {**needs, "if": {"not": own_runtime}, "then": some}
    none = {"properties": {"command": {"maxItems": 0}}}
    if kind == "console":
        file = {"properties": {"options": {"required": ["tokenFile"]}}}
        token = {"anyOf": [_secret("WATCHBOT_TOKEN"), file]}
        return {**needs, "allOf": [token, none]}
    if kind == "record":
        page = {"properties": {"options": {"required": ["httpPort"]}}}
        guarded = [_secret("WATCHBOT_DATABASE"), none]
        return {**needs, "allOf": guarded, "if": page, "then": _secret("WATCHBOT_HTTP_TOKEN")}
    table = {"properties": {"options": {"required": ["database"]}}}
    kept = {"anyOf": [table, _secret("WATCHBOT_DATABASE")]}
    return {**needs, "allOf": [kept, _secret("WATCHBOT_TOKEN"), none]}


def _secret(variable: str) -> dict[str, Any]:
    return {"properties": {"secrets": {"required": [variable]}}}


def _is(kind: str) -> dict[str, Any]:
    return {"properties": {"kind": {"const": kind}}}


def _enabled() -> dict[str, Any]:
    return {"properties": {"enabled": {"const": True}}, "required": ["enabled"]}


def _on(what: str) -> dict[str, Any]:
    return {"properties": {what: _enabled()}}


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _number(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"
_PLACE = {
    **_closed({"name": _TEXT, "key": _TEXT, "optional": _FLAG}),
    "required": ["name", "key"],
}
_PORTS = {"metricsPort", "port", "httpPort"}
_ADDRESS = r"^\s*https?://"
_OFF = {"properties": {"enabled": {"const": False}}}
_QUANTITY = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?([KMGTPE]i?|k|m)?$"}
_SHARE = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]+%$"}]}
_VALUES = {
    "kind": {"enum": list(KINDS)},
    "image": {"type": "string", "minLength": 1},
    "imagePullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "imagePullSecrets": _OBJECTS,
    "command": _TEXTS,
    "options": _OBJECT,
    "env": {"type": "object", "propertyNames": {"pattern": _NAME}, "additionalProperties": _PLAIN},
    "secrets": {
        "type": "object",
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": _PLACE,
    },
    "replicas": _number(0, 5000),
    "keda": _closed(
        {
            "enabled": _FLAG,
            "minReplicas": _number(0, 5000),
            "maxReplicas": _number(1, 5000),
            "messagesPerReplica": _number(0, 1_000_000),
            "identityOwner": {"enum": ["", "keda", "workload"]},
            "pollingInterval": _number(1, 3600),
            "cooldownPeriod": _number(0, 86_400),
        }
    ),
    "hpa": _closed(
        {
            "enabled": _FLAG,
            "minReplicas": _number(1, 5000),
            "maxReplicas": _number(1, 5000),
            "cpuPercent": _number(1, 100),
            "metrics": _OBJECTS,
        }
    ),
    "preStopSeconds": _number(-1, 3600),
    "podDisruptionBudget": _closed({"enabled": _FLAG, "maxUnavailable": _SHARE}),
    "serviceAccount": _closed(
        {
            "create": _FLAG,
            "name": _TEXT,
            "roleArn": {"type": "string", "pattern": r"^$|^arn:[\w-]+:iam::\d{12}:role/.+$"},
            "annotations": _OBJECT,
        }
    ),
    "service": _closed(
        {"type": {"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}, "port": _number(1, 65_535)}
    ),
    "networkPolicy": _closed(
        {"enabled": _FLAG, "metricsFrom": _OBJECTS, "serviceFrom": _OBJECTS, "egress": _OBJECTS}
    ),
    "podMonitor": _closed({"enabled": _FLAG}),
    "tmp": _closed({"medium": {"enum": ["", "Memory"]}, "sizeLimit": _QUANTITY}),
    "resources": _closed({"requests": _OBJECT, "limits": _OBJECT, "claims": _OBJECTS}),
    "runAsUser": _number(1, 2**31 - 1),
    "podAnnotations": _OBJECT,
    "podLabels": _OBJECT,
    "nodeSelector": _OBJECT,
    "tolerations": _OBJECTS,
    "affinity": _OBJECT,
    "topologySpreadConstraints": _OBJECTS,
    "priorityClassName": _TEXT,
    "volumes": _OBJECTS,
    "volumeMounts": _OBJECTS,
    "global": _OBJECT,  # Helm hands it to every chart
}
