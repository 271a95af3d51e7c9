"""Selects the maps to draw in a row: those that all data passes through, from the input to the output.

Parallel branches are collapsed into the map where they meet. If branches return from fewer positions to more, as in a
U-Net, the row follows the longest branch, and the others become skips.
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

MOST = 24  # maps; blocks of a longer row are collapsed automatically
TOO_MANY = 100
MOST_PARTS = 2_000  # layers and collapsed blocks: time grows with their square
MAX_COLUMNS = 4  # groups of a convolution that are drawn as columns


class Volume(NamedTuple):
    """Consecutive maps of one shape. `sizes` are the positions along each axis; empty for features without positions.

    `sources` are the skips: volumes that it reads besides the one before it, by number in the row. `branches` counts
    the layers and blocks in collapsed branches that end in it.
    """

    names: tuple[str, ...]
    shape: Shape
    channels: int
    sizes: tuple[int, ...]
    family: str
    operations: tuple[str, ...]  # that compute it
    then: tuple[str, ...] = ()  # later operations that keep the shape
    windows: tuple[Window, ...] = ()  # on the volume before it, by axis
    groups: int = 1
    columns: int = 1
    sources: tuple[int, ...] = ()
    branches: int = 0

    @property
    def is_bar(self) -> bool:
        """Whether there are no positions, or only one."""
        return all(size == 1 for size in self.sizes)


class VolumeRow(NamedTuple):
    """The volumes of a row. Blocks are collapsed below `depth`; None if all are open.

    `elsewhere` names the layers that only lead to other outputs, `inputs` the inputs of collapsed branches.
    """

    volumes: tuple[Volume, ...]
    depth: int | None
    elsewhere: tuple[str, ...]
    inputs: tuple[str, ...] = ()


class _Part(NamedTuple):
    """A layer or a collapsed block. `sources` are numbers of parts."""

    name: str
    kind: str
    shape: Shape
    sources: tuple[int, ...]
    axes: tuple[AxisField, ...]
    node: Node | None


def volume_row(context: AnalysisContext, depth: int | None = None, block: str | None = None) -> VolumeRow:
    """The row of volumes of a network or a block.

    Blocks are collapsed below `depth`, and by default if the row is long; 0 opens all.

    Raises UsageError for a network on a graph, for a row that is too long, and for an unknown block.
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
    """The row at a depth, and a shorter one that merges all consecutive volumes of one shape."""
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
    """The number of layers and collapsed blocks at a depth."""
    return len({_find_name(context, scope, position, depth) for position in scope.positions})


def _find_name(context: AnalysisContext, scope: DrawnScope, position: int, depth: int | None) -> str:
    """The name of a layer, or of the collapsed block around it."""
    node, level = context.graph.nodes[position], (depth or 0) + scope.level
    return node.instances[level - 1].name if depth and len(node.instances) >= level else node.name


def _parts(context: AnalysisContext, scope: DrawnScope, depth: int | None) -> list[_Part]:
    """The inputs, layers and blocks collapsed below a depth."""
    parts = [_input_part(context, edge) for edge in scope.inputs]
    numbers = {part.name: number for number, part in enumerate(parts)}
    for number, position in enumerate(map(context.graph.producer, scope.inputs)):
        if position is not None:  # the input of a block may come from a collapsed block
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
    """The part for an input of the network or block."""
    tensor, field = context.tensors[edge], context.receptive_fields.edges[edge]
    assert tensor is not None
    axes = field.axes if isinstance(field, Field) else ()
    return _Part(
        name=context.graph.edge_names[edge], kind="input", shape=tensor.shape, sources=(), axes=axes, node=None
    )


# the path through the network


def _find_needed(parts: Sequence[_Part], target: int) -> set[int]:
    found, waiting = set[int](), [target]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting.extend(parts[number].sources)
    return found


def _longest_path(parts: Sequence[_Part], needed: set[int], target: int) -> list[int]:
    """The longest path from an input to the target, as numbers of parts."""
    lengths: dict[int, int] = {}
    for number in sorted(needed):
        lengths[number] = 1 + max((lengths[source] for source in parts[number].sources), default=0)
    path = [target]
    while sources := parts[path[-1]].sources:
        path.append(max(sources, key=lambda source: lengths[source]))
    return path[::-1]


def _cuts(parts: Sequence[_Part], needed: set[int]) -> set[int]:
    """The parts that all data passes through: no edge skips them."""
    furthest: dict[int, int] = {}
    for number in needed:
        for source in parts[number].sources or (-1,):  # all inputs count as one source
            furthest[source] = max(furthest.get(source, -1), number)
    cuts = set()
    reach = furthest.get(-1, -1)  # the furthest reader of any earlier part
    for number in sorted(needed):
        if reach <= number:
            cuts.add(number)
        reach = max(reach, furthest.get(number, -1))
    return cuts


class _RowPart(NamedTuple):
    """A part of the row. `collapsed`: parts between it and `before` are collapsed into it."""

    before: int | None
    number: int
    collapsed: bool


def _select_parts(parts: Sequence[_Part], needed: set[int], cuts: set[int], target: int) -> list[_RowPart]:
    """Select the parts of the row."""
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
    """Whether a part has at least twice as many positions as a source with more than one."""
    read = [_positions(parts[source]) for source in parts[number].sources]
    return any(1 < count <= _positions(parts[number]) // 2 for count in read)


# from parts to volumes


def _volumes(
    context: AnalysisContext, scope: DrawnScope, parts: Sequence[_Part], needed: set[int], target: int
) -> list[Volume]:
    """The volumes: one for each part of the row with a new shape or with weights."""
    cuts = _cuts(parts, needed)
    places: dict[int, int] = {}  # the volume of each part
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
    """The caption of a layer that keeps the shape; none for a reshape."""
    if part.node and part.node.layer.family != "shaping":
        yield _format_kind(part.kind)


def _target(context: AnalysisContext, scope: DrawnScope, parts: Sequence[_Part]) -> int:
    """The part that contains the first output."""
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
        return False  # a flattened map
    if family == "shaping":
        same = part.shape[0] == before.shape[0] and len(part.shape) == len(before.shape)
        ratio = _positions(part) / max(elements(before.shape[1:]), 1)
        return part.shape != before.shape and not (same and 0.5 < ratio < 2)  # padding and cropping keep the volume
    return part.shape != before.shape


def _skips(parts: Sequence[_Part], member: _RowPart, places: dict[int, int]) -> Iterator[int]:
    """The volumes that a part reads besides the one before it."""
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
    """The channels of a part, and the positions along each axis."""
    shape = part.shape
    if len(shape) < 2:
        return elements(shape), ()
    if len(shape) == 2 and [axis.axis for axis in part.axes] == [0] and part.axes[0].extent == shape[0]:
        return shape[1], (shape[0],)  # tokens: features are the last axis
    return shape[0], tuple(shape[1:])


def _block(scope: DrawnScope, parts: Sequence[_Part], needed: set[int], branches: set[int], member: _RowPart) -> Volume:
    """The volume of an input, a collapsed block, or collapsed branches.

    Collapsed branches have the name of the outermost block that contains them all.
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
    """The operation of a layer with its window: `conv 11×11, stride 4`."""
    words = f"{'depthwise ' * (groups == channels > 1)}{_format_kind(kind)}"
    if windows:
        words += f" {size_text(tuple(window.kernel for window in windows))}"
        strides = tuple(window.stride for window in windows)
        if {*strides} != {1}:
            words += f", stride {strides[0] if len({*strides}) == 1 else size_text(strides)}"
    return f"{words}, {groups} groups" if 1 < groups < channels else words


# merging volumes


def _same_operation(one: Volume, other: Volume) -> bool:
    return _same_shape(one, other) and one.operations[-1:] == other.operations[-1:]


def _same_shape(one: Volume, other: Volume) -> bool:
    return one.shape == other.shape and not other.is_bar


def _merged(row: Sequence[Volume], alike: Callable[[Volume, Volume], bool]) -> list[Volume]:
    """Merge consecutive volumes that are alike, unless a skip starts or ends between them."""
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
    """Divide maps that a grouped convolution reads or computes into a column for each group; pooling keeps columns."""
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
