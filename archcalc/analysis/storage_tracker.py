"""Which memory is alive: things that hold others, each alive as long as somebody holds it."""

from collections.abc import Iterable

Storage = int  # its number in the tracker


class StorageTracker:
    """Things with a size in bytes, counted from when they are made until nobody holds them any more.

    `live` is the sum of all that are alive, `marked` the part of it that was made with a mark, `highest` the most that
    was alive since the last `restart`.
    """

    def __init__(self) -> None:
        self.live = self.marked = self.highest = 0
        self._remains: dict[Storage, list[tuple[Storage, int]]] = {}
        self._sizes: list[int] = []
        self._marks: list[bool] = []
        self._holders: list[int] = []
        self._held: list[tuple[Storage, ...]] = []

    def restart(self) -> None:
        """Forget what was alive before."""
        self.highest = self.live

    def make(self, size: int, holds: Iterable[Storage] = (), mark: bool = False) -> Storage:
        """A new thing, which one holder has, and which holds others."""
        held = tuple(holds)
        for handle in held:
            self._holders[handle] += 1
        self._sizes.append(size)
        self._marks.append(mark)
        self._holders.append(1)
        self._held.append(held)
        self.live += size
        self.marked += size * mark
        self.highest = max(self.highest, self.live)
        return len(self._sizes) - 1

    def make_remains(self, size: int, of: Storage) -> Storage:
        """A new thing that takes memory only once another one, which has it all, is gone."""
        handle = self.make(0)
        self._remains.setdefault(of, []).append((handle, size))
        return handle

    def add(self, handle: Storage, holds: Iterable[Storage]) -> Storage:
        """The thing holds others, too, and has one more holder."""
        held = tuple(holds)
        for other in held:
            self._holders[other] += 1
        self._held[handle] += held
        return self.hold(handle)

    def hold(self, handle: Storage) -> Storage:
        """One more holder."""
        self._holders[handle] += 1
        return handle

    def release(self, *handles: Storage) -> None:
        """One holder less of each; what nobody holds is gone, and holds nothing itself."""
        waiting = [*handles]
        while waiting:
            handle = waiting.pop()
            self._holders[handle] -= 1
            if not self._holders[handle]:
                self.live -= self._sizes[handle]
                self.marked -= self._sizes[handle] * self._marks[handle]
                waiting.extend(self._held[handle])
                self._held[handle] = ()
                for other, size in self._remains.pop(handle, ()):
                    if self._holders[other]:
                        self._sizes[other] = size
                        self.live += size

    def empty(self, handle: Storage) -> None:
        """The thing lets go of what it holds, and stays."""
        held, self._held[handle] = self._held[handle], ()
        self.release(*held)

    def size(self, handle: Storage) -> int:
        """Its size in bytes."""
        return self._sizes[handle]
