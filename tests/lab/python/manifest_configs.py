"""Has airbyte-cdk migrate, transform and validate configurations and prints what it made of them, as one JSON document.

Run it with a Python 3.11 that has airbyte-cdk 7.39.1:
    python manifest_configs.py > connectors/src/source/declarative/fixtures/configs.json
The test `makes_of_configurations_what_the_reference_makes` does the same and compares.
"""

import copy
import json
import logging

import jsonschema
from airbyte_cdk.sources.declarative.models.declarative_component_schema import Spec
from airbyte_cdk.sources.declarative.parsers.model_to_component_factory import ModelToComponentFactory

logging.disable(logging.CRITICAL)


def add(*fields, condition=None):
    rule = {"type": "ConfigAddFields", "fields": []}
    for path, value, *kind in fields:
        field = {"type": "AddedFieldDefinition", "path": path, "value": value}
        if kind:
            field["value_type"] = kind[0]
        rule["fields"].append(field)
    if condition is not None:
        rule["condition"] = condition
    return rule


def remove(*pointers, condition=None):
    rule = {"type": "ConfigRemoveFields", "field_pointers": list(pointers)}
    if condition is not None:
        rule["condition"] = condition
    return rule


def remap(path, table):
    return {"type": "ConfigRemapField", "field_path": path, "map": table}


CONFIGS = [
    {"key": "abc"},
    {"key": "", "region": "eu", "credentials": {"auth_type": "token", "token": "t1"}, "ids": ["a", "b"], "n": 3},
    {"key": None, "region": "US", "credentials": {"auth_type": "oauth", "nested": {"deep": 1}}, "on": True, "n": "3"},
    {"accounts": [{"id": 1, "name": "x"}, {"id": 2}], "region": 1, "start": "2024-01-01", "on": False, "n": 1.5},
    {"credentials": "plain", "ids": "a,b , c", "region": None, "json": "{\"a\": [1, 2]}", "empty": {}, "list": []},
    {"a.b": 1, "a": {"b": 2, "*": 3}, "0": "zero", "credentials": {"client_id": "007", "client_secret": "1e5"}},
]
CHANGES = [
    [add((["new"], "text"))],
    [add((["new"], "{{ config['key'] }}"))],
    [add((["new"], "{{ config.get('region', 'none') }}"))],
    [add((["credentials", "new"], "{{ config['n'] }}"))],
    [add((["deep", "er", "still"], "{{ 2 * 2 }}"))],
    [add((["deep", "0", "still"], "x"))],
    [add((["accounts", "0", "name"], "first"))],
    [add((["accounts", "3", "name"], "fourth"))],
    [add((["ids", "1"], "B"))],
    [add((["0"], "0"))],
    [add((["a.b"], "dotted"))],
    [add((["a", "b"], "{{ config['a']['b'] + 1 }}"))],
    [add((["key"], "{{ config['key'] or 'was empty' }}"))],
    [add((["n"], "{{ config['n'] }}", "string"))],
    [add((["n"], "{{ config['n'] }}", "integer"))],
    [add((["n"], "{{ config['n'] }}", "number"))],
    [add((["n"], "{{ config['n'] }}", "boolean"))],
    [add((["on"], "{{ config['on'] }}", "boolean"))],
    [add((["code"], "007", "string"))],
    [add((["code"], "007"))],
    [add((["code"], "{{ '1e5' }}"))],
    [add((["one"], "1"), (["two"], "{{ config['one'] + 1 }}"))],
    [add((["list"], "{{ config['ids'].split(',') }}"))],
    [add((["list"], "{{ config['ids'] }}"))],
    [add((["when"], "{{ config['start'] }}T00:00:00Z"))],
    [add((["new"], "x"), condition="{{ config['region'] == 'eu' }}")],
    [add((["new"], "x"), condition="{{ 'credentials' in config }}")],
    [add((["new"], "{{ config['n'] }}"), condition="{{ value }}")],
    [add((["new"], "x"), (["newer"], "y"), condition="{{ path[0] == 'new' }}")],
    [add((["new"], "x"), condition="")],
    [add((["new"], "x"), condition="false")],
    [add((["credentials", "auth_type"], "api_key"), condition="{{ config['key'] is defined and not config['credentials'] is defined }}"),
     add((["credentials", "api_key"], "{{ config['key'] }}")), remove(["key"])],
    [remove(["key"])],
    [remove(["credentials", "token"], ["region"])],
    [remove(["credentials"])],
    [remove(["accounts", "0"])],
    [remove(["accounts", "*", "name"])],
    [remove(["ids", "0"])],
    [remove(["*"])],
    [remove(["a", "*"])],
    [remove(["c*"])],
    [remove(["a.b"])],
    [remove(["missing", "deeper"])],
    [remove(["key"], condition="{{ config['key'] }}")],
    [remove(["key"], condition="{{ config['credentials']['auth_type'] == 'token' }}")],
    [remove(["key"], condition="")],
    [remap(["region"], {"eu": "https://eu.test", "US": "https://us.test"})],
    [remap(["region"], {"eu": "{{ config['key'] }}-eu", "US": "{{ config['n'] }}"})],
    [remap(["region"], {"{{ config['region'] }}": "found"})],
    [remap(["region"], {"eu": 1, "US": True, "1": "one"})],
    [remap(["region"], {"eu": ["a"], "US": {"k": "v"}})],
    [remap(["credentials", "auth_type"], {"token": "Token", "oauth": "OAuth"})],
    [remap(["credentials", "{{ 'auth_type' }}"], {"token": "Token"})],
    [remap(["accounts", "0", "id"], {"1": "one"})],
    [remap(["on"], {"True": "yes", "False": "no"})],
    [remap(["n"], {"3": "three"})],
    [remap(["ids"], {"a": "b"})],
    [remap(["missing"], {"a": "b"})],
    [add((["region"], "eu")), remap(["region"], {"eu": "{{ config['region'] }}!"})],
]
SCHEMAS = [
    {"type": "object"},
    {"type": "string"},
    {"type": "object", "properties": {"auth_type": {"type": "string", "enum": ["token", "api"]}}, "required": ["auth_type"]},
    {"type": "object", "additionalProperties": False, "properties": {"token": {"type": "string"}}},
    {"type": "array", "items": {"type": "string"}, "minItems": 3},
    {"type": "array", "items": {"type": "object", "required": ["name"]}},
    {"type": "integer", "minimum": 2},
    {"type": ["number", "null"]},
    {"enum": [1, "a", None]},
    {"const": 3},
    {"oneOf": [{"type": "string"}, {"type": "object", "required": ["nested"]}]},
    {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
    {"not": {"type": "object"}},
    {"type": "object", "patternProperties": {"^a": {"type": "string"}}, "minProperties": 1},
]
PATHS = [["credentials"], ["ids"], ["n"], ["accounts", "*"], ["accounts"], ["region"], ["credentials", "nested", "deep"], ["json"], ["on"],
         ["{{ 'ids' }}"], ["empty"], ["missing"], ["accounts", "1"], ["*"]]
# Specifications and the configurations that users give, as `check` and the others compare them at once.
GIVEN = [
    ({"type": "object", "required": ["key", "start"], "properties": {"key": {"type": "string", "minLength": 2}, "start": {"type": "string", "pattern": "^\\d{4}-\\d{2}-\\d{2}$"}}},
     [{}, {"key": "k"}, {"key": "kk", "start": "2024"}, {"key": 1, "start": "2024-01-01"}, {"key": "kk", "start": "2024-01-01", "more": 1}, {"key": "kk", "start": "2024-01-01\n"}]),
    ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5}, "x": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5}, "s": {"type": "string", "maxLength": 3, "format": "date"}}},
     [{"n": 0}, {"n": 11}, {"n": 3.0}, {"n": 3.5}, {"n": True}, {"n": None}, {"x": 0}, {"x": 0.75}, {"x": 1e300}, {"s": "four"}, {"s": "no"}, {"n": 10, "x": 2, "s": "abc"}, {"n": 99999999999999999999}]),
    ({"type": "object", "properties": {"credentials": {"oneOf": [
        {"type": "object", "required": ["auth_type", "token"], "properties": {"auth_type": {"const": "token"}, "token": {"type": "string"}}},
        {"type": "object", "required": ["auth_type", "client_id"], "properties": {"auth_type": {"type": "string", "const": "oauth"}, "client_id": {"type": "string"}}, "additionalProperties": False}]}}},
     [{"credentials": {"auth_type": "token"}}, {"credentials": {"auth_type": "oauth", "client_id": 1}}, {"credentials": {"auth_type": "oauth", "client_id": "1", "more": 1}}, {"credentials": {}}, {"credentials": 1}, {"credentials": {"auth_type": "token", "token": "t"}}, {"credentials": {"auth_type": "other", "token": "t"}}]),
    ({"type": "object", "additionalProperties": False, "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": ["integer", "string"]}}, "required": ["id"]}, "uniqueItems": True, "maxItems": 2}}},
     [{"b": 1}, {"b": 1, "c": 2}, {"a": [{}]}, {"a": [{"id": 1}, {"id": 1}]}, {"a": [{"id": 1}, {"id": "1"}, {"id": 2.5}]}, {"a": {}}, {"a": []}]),
    ({"definitions": {"id": {"type": "string"}}, "type": "object", "properties": {"id": {"$ref": "#/definitions/id"}, "e": {"enum": ["a", 1, True]}}, "dependencies": {"id": ["e"]}, "if": {"required": ["id"]}, "then": {"required": ["e"]}},
     [{"id": 1}, {"id": "x"}, {"id": "x", "e": 1.0}, {"id": "x", "e": "b"}, {"e": False}, {"e": "it's"}]),
    ({"type": "object", "allOf": [{"required": ["a"]}, {"required": ["b"]}], "minProperties": 2, "maxProperties": 3}, [{}, {"a": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3, "d": 4}]),
]


def outcome(act):
    try:
        return {"ok": act()}
    except Exception as error:  # noqa: BLE001 - whatever it is
        return {"fails": f"{type(error).__name__}: {error}"}


def spec(rules):
    model = Spec.parse_obj({"type": "Spec", "connection_specification": {}, "config_normalization_rules": rules})
    return ModelToComponentFactory().create_spec(model, {})


def change(rules, config):
    config = copy.deepcopy(config)
    spec({"type": "ConfigNormalizationRules", "transformations": rules}).transform_config(config)
    return config


def migrate(rules, config):
    config = copy.deepcopy(config)
    spec({"type": "ConfigNormalizationRules", "config_migrations": [{"type": "ConfigMigration", "transformations": rules}]}).migrate_config(config)
    return config


def check(path, schema, config):
    rule = {"type": "DpathValidator", "field_path": path, "validation_strategy": {"type": "ValidateAdheresToSchema", "base_schema": schema}}
    spec({"type": "ConfigNormalizationRules", "validations": [rule]}).validate_config(copy.deepcopy(config))
    return True


def given(schema, config):
    jsonschema.validate(config, schema)
    return True


def main():
    changes = [[r, c, outcome(lambda: change(CHANGES[r], CONFIGS[c]))] for r in range(len(CHANGES)) for c in range(len(CONFIGS))]
    for r, c, found in changes:
        assert found == outcome(lambda: migrate(CHANGES[r], CONFIGS[c]))
    checks = []
    for p, path in enumerate(PATHS):
        for s, schema in enumerate(SCHEMAS):
            for c, config in enumerate(CONFIGS):
                found = outcome(lambda: check(path, schema, config))
                if "fails" in found:
                    found = {"fails": found["fails"].splitlines()[0]}
                checks.append([p, s, c, found])
    specs = []
    for schema, configs in GIVEN:
        for config in configs:
            try:
                jsonschema.validate(config, schema)
                message = None
            except jsonschema.ValidationError as error:
                message = error.message
            specs.append([schema, config, message])
    result = {"configs": CONFIGS, "rules": CHANGES, "changes": changes, "paths": PATHS, "schemas": SCHEMAS, "checks": checks, "specifications": specs}
    print("{")
    print(",\n".join(f"{json.dumps(k)}: [\n" + ",\n".join(json.dumps(x) for x in v) + "\n]" for k, v in result.items()))
    print("}")


main()
