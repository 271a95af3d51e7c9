"""Reference-counted storages, and the number of bytes alive."""

from collections.abc import Iterable

Storage = int  # its number in the tracker


class StorageTracker:
    """Storages with a size in bytes, which are alive while they have a reference. A storage may refer to others.

    `live` has the bytes alive, `marked` those of marked storages among them, and `highest` the maximum of `live` since
    the last `restart`.
    """

    def __init__(self) -> None:
        self.live = self.marked = self.highest = 0
        self._deferred: dict[Storage, list[tuple[Storage, int]]] = {}
        self._sizes: list[int] = []
        self._marks: list[bool] = []
        self._counts: list[int] = []
        self._references: list[tuple[Storage, ...]] = []

    def restart(self) -> None:
        """Reset `highest` to the bytes alive now."""
        self.highest = self.live

    def make(self, size: int, holds: Iterable[Storage] = (), mark: bool = False) -> Storage:
        """Allocate a storage with one reference, which refers to the storages in `holds`."""
        held = tuple(holds)
        for handle in held:
            self._counts[handle] += 1
        self._sizes.append(size)
        self._marks.append(mark)
        self._counts.append(1)
        self._references.append(held)
        self.live += size
        self.marked += size * mark
        self.highest = max(self.highest, self.live)
        return len(self._sizes) - 1

    def make_deferred(self, size: int, of: Storage) -> Storage:
        """Make a storage that takes `size` bytes once the storage `of` is released, and none before."""
        handle = self.make(0)
        self._deferred.setdefault(of, []).append((handle, size))
        return handle

    def add(self, handle: Storage, holds: Iterable[Storage]) -> Storage:
        """Let a storage refer to others, too, and add a reference to it."""
        held = tuple(holds)
        for other in held:
            self._counts[other] += 1
        self._references[handle] += held
        return self.hold(handle)

    def hold(self, handle: Storage) -> Storage:
        """Add a reference to a storage."""
        self._counts[handle] += 1
        return handle

    def release(self, *handles: Storage) -> None:
        """Remove a reference to each storage. One without references is freed, and releases those it refers to."""
        waiting = [*handles]
        while waiting:
            handle = waiting.pop()
            self._counts[handle] -= 1
            if not self._counts[handle]:
                self.live -= self._sizes[handle]
                self.marked -= self._sizes[handle] * self._marks[handle]
                waiting.extend(self._references[handle])
                self._references[handle] = ()
                for other, size in self._deferred.pop(handle, ()):
                    if self._counts[other]:
                        self._sizes[other] = size
                        self.live += size

    def empty(self, handle: Storage) -> None:
        """Release the storages that a storage refers to."""
        held, self._references[handle] = self._references[handle], ()
        self.release(*held)

    def size(self, handle: Storage) -> int:
        """The size of a storage in bytes."""
        return self._sizes[handle]
