"""Renders the cases of the tests of chat templates with jinja2, set up as transformers does, and compares what is expected."""
import datetime
import json
import pathlib

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

CASES = pathlib.Path(__file__).resolve().parents[2] / "src/test/resources/io/gpuquant/jinja/cases.json"


class Generation(jinja2.ext.Extension):
    """The tag that marks what an assistant says, for training; it prints what is inside."""
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def to_json(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = to_json
    made.globals["raise_exception"] = raise_exception
    # gpuquant tells templates a day that does not change.
    made.globals["strftime_now"] = datetime.datetime(2024, 7, 26).strftime
    return made


def rendered(template, variables):
    """The text, or None where it cannot be made."""
    try:
        return environment().from_string(template).render(**variables)
    except Exception:
        return None


def check(report):
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    different = [case["name"] for case in cases
                 if rendered(case["template"], case["variables"]) != case.get("expected")]
    report(f"chat templates, jinja2 {jinja2.__version__}", not different,
           f"{len(cases)} cases give the text that the tests expect" if not different else f"other text: {different}")
