"""Which memory is alive: things that hold others, each alive as long as somebody holds it."""

from collections.abc import Iterable

Thing = int  # the number of a thing in its ledger


class Ledger:
    """Things with a size in bytes, counted from when they are made until nobody holds them any more.

    `live` is the sum of all that are alive, `marked` the part of it that was made with a mark, `highest` the most that
    was alive since the last `restart`.
    """

    def __init__(self) -> None:
        self.live = self.marked = self.highest = 0
        self._remains: dict[Thing, list[tuple[Thing, int]]] = {}
        self._sizes: list[int] = []
        self._marks: list[bool] = []
        self._holders: list[int] = []
        self._held: list[tuple[Thing, ...]] = []

    def restart(self) -> None:
        """Forget what was alive before."""
        self.highest = self.live

    def make(self, size: int, holds: Iterable[Thing] = (), mark: bool = False) -> Thing:
        """A new thing, which one holder has, and which holds others."""
        held = tuple(holds)
        for thing in held:
            self._holders[thing] += 1
        self._sizes.append(size)
        self._marks.append(mark)
        self._holders.append(1)
        self._held.append(held)
        self.live += size
        self.marked += size * mark
        self.highest = max(self.highest, self.live)
        return len(self._sizes) - 1

    def make_remains(self, size: int, of: Thing) -> Thing:
        """A new thing that takes memory only once another one, which has it all, is gone."""
        thing = self.make(0)
        self._remains.setdefault(of, []).append((thing, size))
        return thing

    def add(self, thing: Thing, holds: Iterable[Thing]) -> Thing:
        """The thing holds others, too, and has one more holder."""
        held = tuple(holds)
        for other in held:
            self._holders[other] += 1
        self._held[thing] += held
        return self.hold(thing)

    def hold(self, thing: Thing) -> Thing:
        """One more holder."""
        self._holders[thing] += 1
        return thing

    def release(self, *things: Thing) -> None:
        """One holder less of each; what nobody holds is gone, and holds nothing itself."""
        waiting = [*things]
        while waiting:
            thing = waiting.pop()
            self._holders[thing] -= 1
            if not self._holders[thing]:
                self.live -= self._sizes[thing]
                self.marked -= self._sizes[thing] * self._marks[thing]
                waiting.extend(self._held[thing])
                self._held[thing] = ()
                for other, size in self._remains.pop(thing, ()):
                    if self._holders[other]:
                        self._sizes[other] = size
                        self.live += size

    def empty(self, thing: Thing) -> None:
        """The thing lets go of what it holds, and stays."""
        held, self._held[thing] = self._held[thing], ()
        self.release(*held)

    def size(self, thing: Thing) -> int:
        """Its size in bytes."""
        return self._sizes[thing]
