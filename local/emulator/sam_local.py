"""Files with which ``sam local`` runs a function against the running stack.

SAM CLI gives a function no variable that the template does not declare, and cannot know the names
that the deployment made. So a copy of the built template declares the endpoints too, and a second
file holds the values that the deployed functions have.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_READ = "import json, sys; from samtranslator.yaml_helper import yaml_parse as parse; "
_READ += "json.dump(parse(sys.stdin.read()), sys.stdout)"
_PATHS = ("CodeUri", "ContentUri", "DefinitionUri")


def write(
    folder: Path,
    built: Path,
    python: Path,
    parameters: Mapping[str, str],
    variables: Mapping[str, Mapping[str, str]],
) -> None:
    """Write ``template.json`` and ``env.json``.

    Args:
        folder: where to.
        built: the template that ``sam build`` wrote.
        python: SAM CLI's interpreter, which reads CloudFormation's YAML.
        parameters: what the template was deployed with, by name.
        variables: each function's environment, by its logical id.
    """
    said = subprocess.run(
        [str(python), "-c", _READ], input=built.read_text(), capture_output=True, text=True
    )
    said.check_returncode()
    template = json.loads(said.stdout)
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    for name, resource in template["Resources"].items():
        properties = resource["Properties"]
        for path in properties.keys() & _PATHS:
            properties[path] = str((built.parent / properties[path]).resolve())
        if name in variables:
            properties["Environment"] = {"Variables": dict(variables[name])}
    _write(folder / "template.json", template)
    # Given again in a file of their own: in the template alone, the shell's would come first.
    _write(folder / "env.json", variables)


def _write(path: Path, value: Any) -> None:  # any JSON
    path.write_text(json.dumps(value, indent=2) + "\n")
