"""An explanation as text."""

from collections.abc import Iterator

from archcalc.analysis.explain import Explanation, Section, Step
from archcalc.errors import printable
from archcalc.layers.base import size_text
from archcalc.tracing import plain


def render(explanation: Explanation) -> str:
    """The explanation of one layer, a section for each kind of number."""
    inputs = ", ".join(f"{printable(name)} {size_text(shape)}" for name, shape in explanation.inputs.items())
    head = f"{printable(explanation.name)}  {explanation.type}  {inputs} → {size_text(explanation.output_shape)}"
    lines = [head, f"  {explanation.summary}"]
    width = max((len(step.label) for section in explanation.sections for step in section.steps), default=0)
    for section in explanation.sections:
        lines += ["", *_section(section, width)]
    return "\n".join(lines)


def _section(section: Section, width: int) -> Iterator[str]:
    yield f"  {section.title}"
    for step in section.steps:
        yield f"    {step.label:<{width}}  {_derivation(step)}"
    for note in section.notes:
        yield f"    {note}"


def _derivation(step: Step) -> str:
    """`formula = formula with values = value`, without what would only repeat."""
    value = f"{step.value:,}".replace("-", "−") if isinstance(step.value, int) else plain(step.value)
    formula = step.symbolic if step.symbolic != step.substituted else ""
    substituted = step.substituted if step.has_formula else ""
    return " = ".join(part for part in (formula, substituted, value) if part)
