"""Names of submodules: those that PyTorch's modules reserve, and unique names in a scope."""

from collections.abc import Collection, Iterable
from itertools import islice

from archcalc.errors import UsageError, quoted
from archcalc.structure import Group, groups_in

# The attributes of every nn.Module: no layer may have such a name.
MODULE_ATTRIBUTES = (
    frozenset(
        [
            "T_destination",
            "add_module",
            "apply",
            "bfloat16",
            "buffers",
            "call_super_init",
            "children",
            "compile",
            "cpu",
            "cuda",
            "double",
            "dump_patches",
            "eval",
            "extra_repr",
            "float",
            "forward",
            "get_buffer",
            "get_extra_state",
            "get_parameter",
            "get_submodule",
            "half",
            "ipu",
            "load_state_dict",
            "modules",
            "mtia",
            "named_buffers",
            "named_children",
            "named_modules",
            "named_parameters",
            "parameters",
            "register_backward_hook",
            "register_buffer",
            "register_forward_hook",
            "register_forward_pre_hook",
            "register_full_backward_hook",
            "register_full_backward_pre_hook",
            "register_load_state_dict_post_hook",
            "register_load_state_dict_pre_hook",
            "register_module",
            "register_parameter",
            "register_state_dict_post_hook",
            "register_state_dict_pre_hook",
            "requires_grad_",
            "set_extra_state",
            "set_submodule",
            "share_memory",
            "state_dict",
            "to",
            "to_empty",
            "train",
            "training",
            "type",
            "xpu",
            "zero_grad",
            "_apply",
            "_backward_hooks",
            "_backward_pre_hooks",
            "_buffers",
            "_call_impl",
            "_compiled_call_impl",
            "_forward_hooks",
            "_forward_hooks_always_called",
            "_forward_hooks_with_kwargs",
            "_forward_pre_hooks",
            "_forward_pre_hooks_with_kwargs",
            "_get_backward_hooks",
            "_get_backward_pre_hooks",
            "_get_name",
            "_is_full_backward_hook",
            "_load_from_state_dict",
            "_load_state_dict_post_hooks",
            "_load_state_dict_pre_hooks",
            "_maybe_warn_non_full_backward_hook",
            "_modules",
            "_named_members",
            "_non_persistent_buffers_set",
            "_parameters",
            "_register_load_state_dict_pre_hook",
            "_register_state_dict_hook",
            "_replicate_for_data_parallel",
            "_save_to_state_dict",
            "_slow_forward",
            "_state_dict_hooks",
            "_state_dict_pre_hooks",
            "_version",
            "_wrapped_call_impl",
        ]
    )
    | frozenset(dir(object))
    | {"__annotations__", "__call__", "__dict__", "__getattr__", "__module__", "__setstate__", "__weakref__"}
)


# The attributes of the modules that `archcalc.build` makes.
BLOCK_ATTRIBUTES = frozenset(["_inputs", "_outputs", "_steps", "_names"])
SHOWN = 10  # names in a message


def check_names(root: Group) -> None:
    """Raise UsageError if layers or blocks have the name of a module's attribute; the error lists all of them."""
    taken = MODULE_ATTRIBUTES | BLOCK_ATTRIBUTES
    found: dict[str, str] = {}  # the full name of the first layer or block with each such name
    for group in groups_in(root):
        for key in group.parts:
            if key in taken:
                found.setdefault(key, ".".join((*group.path, key)))
    if found:
        raise names_error(found.values())


def names_error(names: Collection[str]) -> UsageError:
    """The error for layers or blocks, by their full names, that have the name of a module's attribute."""
    shown = ", ".join(map(quoted, islice(names, SHOWN)))
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return UsageError(f"{shown}{more} cannot be built: PyTorch modules have attributes of that name", "use other names")


class Names:
    """The names in one scope, which are unique."""

    def __init__(self, taken: Iterable[str] = (), separator: str = "_") -> None:
        self._counts = dict.fromkeys(taken, 1)
        self._separator = separator

    def add(self, name: str) -> str:
        """Add a name and return it, with the first number behind it that makes it unique."""
        found = name
        while found in self._counts:
            self._counts[name] += 1
            found = f"{name}{self._separator}{self._counts[name]}"
        self._counts[found] = 1
        return found
