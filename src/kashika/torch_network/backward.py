"""The way back from the loss of every batch, and what is left of it where it is barred."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from kashika.errors import listed, one_line
from kashika.texts import Sentence
from kashika.torch_network.loss import out_of_memory
from kashika.torch_sample_gradients import Layouts, Records, recorded, summed_gradients
from kashika.torch_sample_gradients.layout import recomputes


class Backward:
    """The gradients of one batch after the other.

    Where the norms of the samples' own gradients fail, which is kashika's fault and not that of the
    network or the data, those of the mean loss are left; and where nothing can be differentiated,
    what the network answers.

    Attributes
    ----------
    trainable : {name: parameter}
    undone : parameters whose gradients cannot be had
    one_by_one, left_out : as in `SampleGradients`
    """

    def __init__(self, module: nn.Module, *, split: str) -> None:
        self._module, self._split = module, split
        self.trainable: Mapping[str, Tensor] = {
            name: one
            for name, one in module.named_parameters()
            if one.requires_grad and torch.is_grad_enabled()
        }
        self.undone: Collection[str] = ()
        self.one_by_one: dict[str, None] = {}
        self.left_out: dict[str, None] = {}
        self._layouts: Layouts = {}
        self._by_sample = True
        self._happened: list[Sentence] = []

    def recording(self, samples: int) -> AbstractContextManager[Records | None]:
        """Note inside the block what the network puts out for a batch of so many samples."""
        if not self.trainable or not self._by_sample:
            return nullcontext()
        return recorded(self._module, self.trainable, samples=samples, layouts=self._layouts)

    def gradients(
        self, total: Tensor, records: Records | None, *, first: bool
    ) -> tuple[dict[str, Tensor | None], dict[str, Tensor]] | None:
        """Go back from the summed loss of a batch.

        Parameters
        ----------
        records : of the batch, as `recording` gave them
        first : whether this is the first batch

        Returns
        -------
        As `Records.backward` does, without norms where these cannot be had; None where there is
        nothing to go back to.

        Raises
        ------
        Exception
            Whatever the way back through the network raises, after the first batch.
        """
        if not self.trainable or not total.requires_grad:
            return None
        try:
            found = self._found(total, records)
        except Exception as error:
            if not first or out_of_memory(error):
                raise
            self.undone, self.trainable = self.trainable, {}
            self._say("notes.observe.backward", error=one_line(error))
            return None
        if first:
            self._seek_hidden(total, found[0])
        return found

    @property
    def notes(self) -> list[Sentence]:
        """What went otherwise."""
        slow, unknown, said = self.one_by_one, self.left_out, [*self._happened]
        if unknown:
            said.insert(0, Sentence("notes.observe.left_out", names=listed(unknown)))
        if slow:
            said.insert(0, Sentence("notes.observe.one_by_one", names=listed(slow)))
        return said

    def _found(
        self, total: Tensor, records: Records | None
    ) -> tuple[dict[str, Tensor | None], dict[str, Tensor]]:
        if records is None:
            return summed_gradients(total, self.trainable), {}
        try:
            found = records.backward(total)
        except Exception as error:
            if out_of_memory(error):
                raise
            summed = summed_gradients(total, self.trainable)
            self._by_sample = False
            self._say("notes.observe.norms", error=one_line(error))
            return summed, {}
        self.one_by_one |= dict.fromkeys(records.one_by_one)
        self.left_out |= dict.fromkeys(records.left_out)
        return found

    def _seek_hidden(self, total: Tensor, summed: Mapping[str, Tensor | None]) -> None:
        """Take out the parameters that only seem to get no gradient."""
        none: Sequence[str] = [name for name, gradient in summed.items() if gradient is None]
        if none and recomputes(total):
            self.undone = none
            self._say("notes.observe.hidden", names=listed(none))

    def _say(self, key: str, **values: object) -> None:
        self._happened.append(Sentence(key, split=self._split, **values))
