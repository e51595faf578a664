# SPDX-License-Identifier: GPL-2.0-or-later
"""Renders a state or top file as Salt does: jinja, then yaml.

stdin: {"file": PATH, "pillar": [TEXT OF YAML, ...], "id": VM}; stdout: what the file is, as JSON.
Of Salt's additions to jinja there are those that the formula uses, as its documentation describes
them (docs.saltproject.io, "Understanding Jinja"). Salt itself is in no Debian.
"""

import json
import pathlib
import re
import sys

import jinja2
import jinja2.sandbox
import yaml

FORMULA = pathlib.Path(__file__).parents[2] / "shared/packaging/salt"


class NoRepeats(yaml.SafeLoader):
    """Salt refuses a key that is there twice; PyYAML takes the last one."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"Conflicting ID '{key}'")
        return super().construct_mapping(node, deep)


def merged(one, other):
    """As pillars are merged: mappings with each other, anything else is replaced."""
    both = {**one}
    for key, value in other.items():
        both[key] = merged(both[key], value) if isinstance(both.get(key), dict) else value
    return both


def raise_error(message):
    raise jinja2.TemplateError(message)


def pillar_get(pillar):
    def get(path, default=""):
        value = pillar
        for key in path.split(":"):
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value

    return get


def environment():
    made = jinja2.sandbox.SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(FORMULA),
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    made.filters["json"] = lambda value: json.dumps(value, sort_keys=True)
    made.tests["match"] = lambda text, pattern: bool(re.match(pattern, text))
    made.globals["raise"] = raise_error
    return made


def main():
    wish = json.load(sys.stdin)
    pillar = {}
    for text in wish["pillar"]:
        pillar = merged(pillar, yaml.load(text, NoRepeats) or {})
    try:
        text = environment().get_template(wish["file"]).render(
            salt={"pillar.get": pillar_get(pillar)}, grains={"id": wish["id"]}, pillar=pillar
        )
        json.dump(yaml.load(text, NoRepeats), sys.stdout)
    except (jinja2.TemplateError, yaml.YAMLError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


main()
