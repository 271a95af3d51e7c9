"""Which maps of a network stand for it in a row: those that its data must pass through, from the input to the output.

Where branches run beside each other, the row goes on where they have met. Only where they come back from fewer
positions to more, as in a U-Net, does it follow the longest of them, and the others become skips.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.receptive_field import AxisField, Field
from archcalc.analysis.summary import summarize
from archcalc.arithmetic import Window
from archcalc.diagram.scope import DrawnScope, find_scope
from archcalc.errors import UsageError, quoted
from archcalc.graph import Node
from archcalc.layers.base import Layer, Shape, elements, size_text

MOST = 24  # maps of a row that is not asked to be collapsed
TOO_MANY = 100
MOST_PARTS = 2_000  # layers and collapsed blocks that a row is looked for in: the time grows with their square
MAX_COLUMNS = 4  # groups of a convolution that are drawn apart


class Volume(NamedTuple):
    """Maps of one shape, one after the other. `sizes` are those of its positions, without any for features alone.

    `sources` are volumes that it reads by their place in the row, beside the one before it; `branches` counts what lies
    in branches that end in it, which are not drawn.
    """

    names: tuple[str, ...]
    shape: Shape
    channels: int
    sizes: tuple[int, ...]
    family: str
    operations: tuple[str, ...]  # that made it
    then: tuple[str, ...] = ()  # those after it that keep its shape
    windows: tuple[Window, ...] = ()  # on the volume before, an axis each
    groups: int = 1
    columns: int = 1
    sources: tuple[int, ...] = ()
    branches: int = 0

    @property
    def is_bar(self) -> bool:
        """Whether there is one position, if any."""
        return all(size == 1 for size in self.sizes)


class VolumeRow(NamedTuple):
    """The volumes, the depth below which blocks are collapsed (None for open ones), and what is drawn nowhere.

    `elsewhere` are the names of what leads to other outputs alone, `inputs` those that branches begin with.
    """

    volumes: tuple[Volume, ...]
    depth: int | None
    elsewhere: tuple[str, ...]
    inputs: tuple[str, ...] = ()


class _Part(NamedTuple):
    """A layer, or a collapsed block, and what it reads by number."""

    name: str
    kind: str
    shape: Shape
    sources: tuple[int, ...]
    axes: tuple[AxisField, ...]
    node: Node | None


def volume_row(context: AnalysisContext, depth: int | None = None, block: str | None = None) -> VolumeRow:
    """The maps of a network or a block in a row.

    Blocks are collapsed below `depth`, and by default if the row is long; 0 opens all.

    Raises UsageError for a graph, whose positions are nodes, for a row that is too long, and for a block that does not
    exist.
    """
    fields = context.receptive_fields.edges
    if any(isinstance(field, Field) and any(axis.hops for axis in field.axes) for field in fields):
        raise UsageError(f"{quoted(context.graph.name)} is of a graph: its positions are nodes, which fill no volume")
    scope = find_scope(context.graph, block)
    deepest = scope.levels(context.graph)
    wanted = (None, *range(deepest, 0, -1)) if depth is None else (depth or None,)
    depths = [chosen for chosen in wanted if _count(context, scope, chosen) <= MOST_PARTS]
    if not depths:
        remedy = "put layers into blocks" if depth is None or not deepest else "collapse blocks with a depth"
        raise UsageError(f"volumes are drawn of at most {MOST_PARTS:,} layers and collapsed blocks", remedy)
    found = VolumeRow((), None, ())
    for chosen in depths:
        for found in _rows(context, scope, chosen):
            if len(found.volumes) <= MOST:
                return found
    if len(found.volumes) > TOO_MANY:
        message = f"a row of {len(found.volumes)} volumes is more than {TOO_MANY}"
        raise UsageError(message, "collapse blocks with a depth" if deepest else "put layers into blocks")
    return found


def _rows(context: AnalysisContext, scope: DrawnScope, depth: int | None) -> Iterator[VolumeRow]:
    """The row at a depth, and a shorter one in which fewer volumes differ."""
    parts = _parts(context, scope, depth)
    target = _target(context, scope, parts)
    needed = _find_needed(parts, target)
    elsewhere = tuple(part.name for number, part in enumerate(parts) if number not in needed)
    volumes = _volumes(context, scope, parts, needed, target)
    for alike in (_same_operation, _same_shape):
        row = _in_columns(_merged(volumes, alike))
        missing = {*elsewhere} | {name for volume in row for name in volume.names}
        inputs = tuple(part.name for part in parts[: len(scope.inputs)] if part.name not in missing)
        yield VolumeRow(row, depth, elsewhere, inputs)


def _count(context: AnalysisContext, scope: DrawnScope, depth: int | None) -> int:
    """How many layers and collapsed blocks there are at a depth."""
    return len({_find_name(context, scope, position, depth) for position in scope.positions})


def _find_name(context: AnalysisContext, scope: DrawnScope, position: int, depth: int | None) -> str:
    """The name of a layer, or of the block that is closed around it."""
    node, closed = context.graph.nodes[position], (depth or 0) + scope.level
    return node.instances[closed - 1].name if depth and len(node.instances) >= closed else node.name


def _parts(context: AnalysisContext, scope: DrawnScope, depth: int | None) -> list[_Part]:
    """The inputs and what the summary has, collapsed to a depth."""
    parts = [_input_part(context, edge) for edge in scope.inputs]
    numbers = {part.name: number for number, part in enumerate(parts)}
    for number, position in enumerate(map(context.graph.producer, scope.inputs)):
        if position is not None:  # what a block reads may be in a block that is closed
            numbers[_find_name(context, scope, position, depth)] = number
    inside = {_find_name(context, scope, position, depth) for position in scope.positions}
    summary = summarize(context).collapsed(context.graph, None if depth is None else depth + scope.level)
    rows = [row for row in summary.layers if row.name in inside]
    numbers |= {row.name: number for number, row in enumerate(rows, start=len(parts))}
    for row in rows:
        sources = tuple(numbers[source] for source in row.inputs if numbers[source] < numbers[row.name])
        position = context.graph.positions.get(row.name)
        node = None if position is None else context.graph.nodes[position]
        own = node if node is not None and node.layer.type == row.type else None
        axes = row.receptive_field.axes if row.receptive_field else ()
        parts.append(_Part(name=row.name, kind=row.type, shape=row.output_shape, sources=sources, axes=axes, node=own))
    return parts


def _input_part(context: AnalysisContext, edge: int) -> _Part:
    """What is read from outside."""
    tensor, field = context.tensors[edge], context.receptive_fields.edges[edge]
    assert tensor is not None
    axes = field.axes if isinstance(field, Field) else ()
    return _Part(
        name=context.graph.edge_names[edge], kind="input", shape=tensor.shape, sources=(), axes=axes, node=None
    )


# the way through


def _find_needed(parts: Sequence[_Part], target: int) -> set[int]:
    found, waiting = set[int](), [target]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting.extend(parts[number].sources)
    return found


def _longest_path(parts: Sequence[_Part], needed: set[int], target: int) -> list[int]:
    """The numbers from an input to the target through as many parts as possible."""
    lengths: dict[int, int] = {}
    for number in sorted(needed):
        lengths[number] = 1 + max((lengths[source] for source in parts[number].sources), default=0)
    path = [target]
    while sources := parts[path[-1]].sources:
        path.append(max(sources, key=lambda source: lengths[source]))
    return path[::-1]


def _cuts(parts: Sequence[_Part], needed: set[int]) -> set[int]:
    """The parts that all data passes through: those that no edge leads past."""
    furthest: dict[int, int] = {}
    for number in needed:
        for source in parts[number].sources or (-1,):  # all inputs come from one place
            furthest[source] = max(furthest.get(source, -1), number)
    cuts = set()
    reach = furthest.get(-1, -1)  # the furthest part that anything before reads into
    for number in sorted(needed):
        if reach <= number:
            cuts.add(number)
        reach = max(reach, furthest.get(number, -1))
    return cuts


class _RowPart(NamedTuple):
    """A part of the row, the one before it, and whether there are others between, which are collapsed into it."""

    before: int | None
    number: int
    collapsed: bool


def _select_parts(parts: Sequence[_Part], needed: set[int], cuts: set[int], target: int) -> list[_RowPart]:
    """The parts of the row."""
    path = _longest_path(parts, needed, target)
    found = [_RowPart(None, path[0], False)]
    region: list[int] = []
    for number in path[1:]:
        region.append(number)
        if number not in cuts:
            continue
        if any(_enlarges(parts, each) for each in region):
            found += [
                _RowPart(before, each, False) for before, each in zip([found[-1].number, *region], region, strict=False)
            ]
        else:
            before = found[-1].number
            found.append(_RowPart(before, number, any(before < other < number for other in needed)))
        region = []
    return found


def _positions(part: _Part) -> int:
    return int(elements(part.shape[1:])) if len(part.shape) > 1 else 1


def _enlarges(parts: Sequence[_Part], number: int) -> bool:
    """Whether a part has at least twice as many positions as one that it reads; a single one is no map."""
    read = [_positions(parts[source]) for source in parts[number].sources]
    return any(1 < count <= _positions(parts[number]) // 2 for count in read)


# from parts to volumes


def _volumes(
    context: AnalysisContext, scope: DrawnScope, parts: Sequence[_Part], needed: set[int], target: int
) -> list[Volume]:
    """A volume for each part of the row that has a shape of its own or computes with weights."""
    cuts = _cuts(parts, needed)
    places: dict[int, int] = {}  # the volume that a part of the row belongs to
    row: list[Volume] = []
    for member in _select_parts(parts, needed, cuts, target):
        part = parts[member.number]
        if row and not member.collapsed and not _is_shown(part, row[-1]):
            row[-1] = row[-1]._replace(then=(*row[-1].then, *_format_following(part)))
        elif member.collapsed or part.node is None:
            row.append(_block(scope, parts, needed, needed - cuts, member))
        else:
            row.append(_volume(context, part, part.node.layer))
        places[member.number] = len(row) - 1
        skips = _skips(parts, member, places)
        row[-1] = row[-1]._replace(sources=tuple(sorted({*row[-1].sources, *skips} - {len(row) - 2, len(row) - 1})))
    return row


def _format_following(part: _Part) -> Iterator[str]:
    """What is said of a layer that keeps the shape; one that only lays it out differently is not told."""
    if part.node and part.node.layer.family != "shaping":
        yield _format_kind(part.kind)


def _target(context: AnalysisContext, scope: DrawnScope, parts: Sequence[_Part]) -> int:
    """The part that the first output is in."""
    numbers = {part.name: number for number, part in enumerate(parts)}
    name = context.graph.edge_names[scope.outputs[0]]
    while name not in numbers:
        name = name.rpartition(".")[0]
    return numbers[name]


def _is_shown(part: _Part, before: Volume) -> bool:
    family = part.node.layer.family if part.node else "block"
    if family in ("convolution", "dense", "attention", "block"):
        return True
    if len(part.shape) == 1 and elements(part.shape) == elements(before.shape):
        return False  # the same values in a row
    if family == "shaping":
        same = part.shape[0] == before.shape[0] and len(part.shape) == len(before.shape)
        ratio = _positions(part) / max(elements(before.shape[1:]), 1)
        return part.shape != before.shape and not (same and 0.5 < ratio < 2)  # padded, or cut to size
    return part.shape != before.shape


def _skips(parts: Sequence[_Part], member: _RowPart, places: dict[int, int]) -> Iterator[int]:
    """The volumes that a part reads past the one before."""
    if member.before is None or member.collapsed:
        return
    waiting = [source for source in parts[member.number].sources if source != member.before]
    seen = set[int]()
    while waiting:
        source = waiting.pop()
        if source in places:
            yield places[source]
        elif source not in seen:
            seen.add(source)
            waiting.extend(parts[source].sources)


def _volume(context: AnalysisContext, part: _Part, layer: Layer) -> Volume:
    """The volume of a layer."""
    channels, sizes = _channels_and_sizes(part)
    inputs, _ = context.tensors_at(context.graph.position(part.name))
    windows = layer.windows(inputs)
    found = tuple(windows[axis] for axis in sorted(windows)) if len(windows) == len(sizes) else ()
    groups = getattr(layer, "groups", 1) if layer.family == "convolution" else 1
    operation = _format_operation(layer.type, found, groups, inputs[0].shape[0] if inputs[0].shape else 1)
    return Volume(
        names=(part.name,),
        shape=part.shape,
        channels=channels,
        sizes=sizes,
        family=layer.family,
        operations=(operation,),
        then=(),
        windows=found,
        groups=groups,
    )


def _channels_and_sizes(part: _Part) -> tuple[int, tuple[int, ...]]:
    """The channels of a shape, and its positions along each axis."""
    shape = part.shape
    if len(shape) < 2:
        return elements(shape), ()
    if len(shape) == 2 and [axis.axis for axis in part.axes] == [0] and part.axes[0].extent == shape[0]:
        return shape[1], (shape[0],)  # features come last, as of tokens
    return shape[0], tuple(shape[1:])


def _block(scope: DrawnScope, parts: Sequence[_Part], needed: set[int], branches: set[int], member: _RowPart) -> Volume:
    """The volume of an input, of a collapsed block, or of what lies between two parts of the row.

    The last is called by the outermost block that has all of its branches between.
    """
    part = parts[member.number]
    name, kind = part.name, "" if part.kind == "input" else _format_kind(part.kind)
    before = -1 if member.before is None else member.before
    around = part.node.instances[max(scope.level - 1, 0) :] if part.node else ()  # the drawn block and those in it
    for instance in around:
        inside = [number for number in branches if parts[number].name.startswith(f"{instance.name}.")]
        if inside and min(inside) > before and max(inside) <= member.number:
            name, kind = instance.name, instance.block.replace("_", " ")
            break
    family = "input" if part.kind == "input" else "block"
    count = sum(before < number < member.number for number in needed) if member.collapsed else 0
    maps = _channels_and_sizes(part)
    return Volume((name,), part.shape, *maps, family, (kind,) if kind else (), branches=count)


def _format_kind(kind: str) -> str:
    """The type of a layer in words: `max pool` for `max_pool2d`."""
    return kind.removesuffix("1d").removesuffix("2d").removesuffix("3d").replace("_", " ")


def _format_operation(kind: str, windows: tuple[Window, ...], groups: int, channels: int) -> str:
    """What a layer does, with its window: `conv 11×11, stride 4`."""
    words = f"{'depthwise ' * (groups == channels > 1)}{_format_kind(kind)}"
    if windows:
        words += f" {size_text(tuple(window.kernel for window in windows))}"
        strides = tuple(window.stride for window in windows)
        if {*strides} != {1}:
            words += f", stride {strides[0] if len({*strides}) == 1 else size_text(strides)}"
    return f"{words}, {groups} groups" if 1 < groups < channels else words


# volumes that stand for several


def _same_operation(one: Volume, other: Volume) -> bool:
    return _same_shape(one, other) and one.operations[-1:] == other.operations[-1:]


def _same_shape(one: Volume, other: Volume) -> bool:
    return one.shape == other.shape and not other.is_bar


def _merged(row: Sequence[Volume], alike: Callable[[Volume, Volume], bool]) -> list[Volume]:
    """Volumes that are alike and follow each other as one of several names, unless a skip ends or begins between."""
    skipped = {source for volume in row for source in volume.sources}
    places: list[int] = []
    found: list[Volume] = []
    for number, volume in enumerate(row):
        free = not volume.sources and number - 1 not in skipped
        if found and free and alike(found[-1], volume):
            last = found[-1]
            operations = (*last.operations, *volume.operations)
            branches = last.branches + volume.branches
            names = (*last.names, *volume.names)
            found[-1] = last._replace(names=names, operations=operations, then=volume.then, branches=branches)
        else:
            found.append(volume._replace(sources=tuple(places[source] for source in volume.sources)))
        places.append(len(found) - 1)
    return found


def _in_columns(row: Sequence[Volume]) -> tuple[Volume, ...]:
    """Maps that a convolution makes or reads in groups stand in as many columns; pooling keeps them apart."""
    columns = [volume.groups for volume in row]
    for number in range(len(row) - 2, -1, -1):
        after = columns[number + 1] if row[number + 1].family == "pooling" else row[number + 1].groups
        columns[number] = max(columns[number], after)
    for number in range(1, len(row)):
        if row[number].family == "pooling":
            columns[number] = max(columns[number], columns[number - 1])
    pairs = zip(row, columns, strict=True)
    return tuple(volume._replace(columns=_allowed_columns(volume, count)) for volume, count in pairs)


def _allowed_columns(volume: Volume, columns: int) -> int:
    apart = volume.family != "input" and columns <= MAX_COLUMNS and volume.channels % columns == 0
    return columns if apart else 1
