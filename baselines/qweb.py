"""QWeb: a network that tells what each click and each typing on a page is worth.

It is of the kind of Gur et al. 2019, "Learning to Navigate the Web" (https://arxiv.org/abs/1812.09195): tokens are
embedded, fields of the instruction and elements of the page are encoded, an LSTM reads the elements in both directions,
and a composite action (element, click or field to type) is worth what the product of both encodings tells. What the
paper leaves open is ours: each element attends to the fields by scaled dot products of embedded tokens (Vaswani et al.
2017, https://arxiv.org/abs/1706.03762), so that names that were never seen can still be found on the page.

The paper's shallow features, how many words of a field occur in an element, are an option that nothing turns on by
itself, and so is any other number that says how far an element and a field coincide: the network "qweb-overlap".
Granted US patents of the paper's authors (US11734375B2, US12118052B2, US12153642B2, US12625918B2) have claims on such
features joined to those of the elements, and on composite Q values: before a product uses this network, let somebody
judge that who can.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor, nn

from .networks import Architecture, Columns, Features, boxes_of

TOKEN, ENCODING = 32, 64  # numbers per token, and per element or field
PADDING = 0  # the token that is none
NOTHING = -1e9  # logit of what must not be attended to


class Variant(NamedTuple):
    """What may be left out or added."""

    is_recurrent: bool = True
    """Whether elements are read in their order; otherwise each is read alone."""
    has_overlap: bool = False
    """Whether it is told what words of each field occur in an element, and how likely its parts find the same field."""


VARIANTS = {"qweb": Variant(), "qweb-alone": Variant(is_recurrent=False), "qweb-overlap": Variant(has_overlap=True)}


class QWeb(Features):
    """Features of each pair of an element and what is done to it: action ``element * (1 + fields) + kind``.

    Kind 0 is a click, and the others type a field. A pair's features are the product, number by number, of the
    encodings of both, of which a layer makes a scalar product with weights; to them are added those of the whole page,
    for what all actions have in common.
    """

    entries = {"elements": 3, "element_mask": 1, "features": 2, "fields": 3, "field_mask": 1}
    is_per_action = True
    gain = 3.0**0.5  # keeps the variance

    def __init__(self, space: spaces.Space[Any], architecture: Architecture) -> None:
        """Read ``elements`` (E, attributes, tokens), ``fields`` (F, parts, tokens), their masks, ``features`` (E, n).

        Raises:
            TypeError: an entry is missing or of another kind.
        """
        boxes = boxes_of(space, architecture.network, self.entries)
        token, size = architecture.scaled(TOKEN), architecture.scaled(ENCODING)
        super().__init__({name: (box.shape, box.dtype) for name, box in boxes.items()}, size)
        self.variant = VARIANTS[architecture.network]
        attributes, (fields, parts, _) = boxes["elements"].shape[1], boxes["fields"].shape
        vocabulary = 1 + max(int(boxes[name].high.max()) for name in ("elements", "fields"))
        overlaps = fields * parts + 1 if self.variant.has_overlap else 0
        self.tokens = nn.Embedding(vocabulary, token)
        self.kinds = nn.Embedding(2, size)  # click, type
        self.field = nn.Linear(parts * token, size)
        told = attributes * token + boxes["features"].shape[1] + parts * size + overlaps
        self.element = nn.Linear(told, size)
        self.page = nn.Linear(size, size)
        if self.variant.is_recurrent:
            self.reader = nn.LSTM(size, size // 2, batch_first=True, bidirectional=True)

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, E * (1 + F), size) of all actions."""
        attributes, parts = self._embed(columns["elements"]), self._embed(columns["fields"])
        is_field = columns["field_mask"] != 0
        fields = torch.relu(self.field(parts.flatten(2)))
        heeded = attend(attributes, parts, is_field)
        found = torch.einsum("bepf,bfs->beps", heeded, fields)
        told = [attributes.flatten(2), columns["features"].float(), found.flatten(2)]
        if self.variant.has_overlap:
            told += [agreement(heeded), overlap(columns["elements"], columns["fields"]).flatten(2)]
        elements = torch.relu(self.element(torch.cat(told, dim=2)))
        if self.variant.is_recurrent:
            elements = elements + self._read(elements, columns["element_mask"])
        pairs = elements[:, :, None] * self._deeds(fields, is_field)[:, None]
        page = torch.relu(self.page(mean(elements, columns["element_mask"] != 0)))
        return (pairs + page[:, None, None]).flatten(1, 2)

    def _embed(self, texts: Tensor) -> Tensor:
        """Return the mean (B, n, texts, token) of the tokens' embeddings of texts (B, n, texts, tokens)."""
        rows = texts.flatten(0, 2).int()
        means = nn.functional.embedding_bag(rows, self.tokens.weight, mode="mean", padding_idx=PADDING)
        return means.reshape(*texts.shape[:3], -1)

    def _read(self, elements: Tensor, mask: Tensor) -> Tensor:
        """Return what the LSTM tells of each element (B, E, size), with 0 for those that are not there."""
        lengths = (mask != 0).sum(dim=1).clamp(min=1)
        packed = nn.utils.rnn.pack_padded_sequence(elements, lengths, batch_first=True, enforce_sorted=False)
        read, _ = nn.utils.rnn.pad_packed_sequence(
            self.reader(packed)[0], batch_first=True, total_length=elements.shape[1]
        )
        return read

    def _deeds(self, fields: Tensor, is_field: Tensor) -> Tensor:
        """Return the encodings (B, 1 + F, size) of a click, which heeds all fields alike, and of typing each field."""
        click, typing = self.kinds.weight
        return torch.cat([(click + mean(fields, is_field))[:, None], typing + fields], dim=1)


def mean(encodings: Tensor, is_there: Tensor) -> Tensor:
    """Return the mean (B, size) of those of the encodings (B, n, size) that are there, (B, n); 0 where none is."""
    weights = is_there.float()[:, :, None]
    return (encodings * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def attend(attributes: Tensor, parts: Tensor, is_field: Tensor) -> Tensor:
    """Return how much elements heed each field, by what their attributes resemble, (B, E, parts, F).

    There is a head for each part of a field. An element may also attend to nothing, which has the logit 0.

    Args:
        attributes: embedded, (B, E, attributes, token).
        parts: embedded, (B, F, parts, token).
        is_field: which of the fields are there, (B, F).
    """
    logits = torch.einsum("bed,bfpd->bepf", attributes.sum(dim=2), parts) * attributes.shape[3] ** -0.5
    logits = logits.masked_fill(~is_field[:, None, None], NOTHING)
    return torch.softmax(nn.functional.pad(logits, (1, 0)), dim=3)[..., 1:]


def agreement(heeded: Tensor) -> Tensor:
    """Return how likely all heads choose the same field, (B, E, 1), as where an input named by a key holds the value.

    Args:
        heeded: (B, E, parts, F), see `attend`.
    """
    return heeded.prod(dim=2).sum(dim=2, keepdim=True)


def overlap(elements: Tensor, fields: Tensor) -> Tensor:
    """Return the share of the words of each part of each field that occur in an element, (B, E, F, parts).

    Args:
        elements: tokens, (B, E, attributes, tokens).
        fields: tokens, (B, F, parts, tokens).
    """
    there = elements.flatten(2)[:, :, None, None, :]
    words = fields[:, None]
    found = torch.stack([(there == word[..., None]).any(dim=4) for word in words.unbind(dim=4)], dim=4)
    is_word = words != PADDING
    return (found & is_word).sum(dim=4) / is_word.sum(dim=4).clamp(min=1)
