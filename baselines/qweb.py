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

TOKEN, ENCODING, PRODUCTS = 32, 64, 8  # numbers per token, per element or field, and per action
PADDING = 0  # the token that is none
WORDS = 3  # of a field's value, each of which elements can look for by itself, as for the day of a date
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
        token, self.products = architecture.scaled(TOKEN), architecture.scaled(PRODUCTS)
        size = self.products * (ENCODING // PRODUCTS)
        super().__init__({name: (box.shape, box.dtype) for name, box in boxes.items()}, self.products)
        self.variant = VARIANTS[architecture.network]
        attributes, (fields, parts, words) = boxes["elements"].shape[1], boxes["fields"].shape
        vocabulary = 1 + max(int(boxes[name].high.max()) for name in ("elements", "fields"))
        overlaps = fields * parts + 1 if self.variant.has_overlap else 0
        self.tokens = nn.Embedding(vocabulary, token)
        self.kinds = nn.Embedding(2, size)  # click, type
        heads = parts + min(words, WORDS)
        self.field = nn.Linear(heads * token, size)
        told = attributes * token + boxes["features"].shape[1] + heads * size + overlaps
        self.element = nn.Linear(told, size)
        self.page = nn.Linear(size, self.products)
        if self.variant.is_recurrent:
            self.readers = nn.ModuleList([nn.LSTM(size, size // 2, batch_first=True) for _ in range(2)])

    def forward(self, columns: Columns) -> Tensor:
        """Return the features (B, E * (1 + F), size) of all actions."""
        is_there, is_field = columns["element_mask"] != 0, columns["field_mask"] != 0
        rows, places = is_there.nonzero(as_tuple=True)  # of the N elements of all pages; most pages are short

        def laid_out(encodings: Tensor) -> Tensor:
            """Return encodings (N, n) of the elements that are there as (B, E, n), with 0 elsewhere."""
            return encodings.new_zeros((*is_there.shape, encodings.shape[1])).index_put((rows, places), encodings)

        attributes = self._embed(columns["elements"][rows, places])
        words = columns["fields"][:, :, -1, :WORDS, None]  # texts of one word each
        parts = torch.cat([self._embed(columns["fields"]), self._embed(words)], dim=2)
        fields = torch.relu(self.field(parts.flatten(2)))
        heeded = attend(laid_out(attributes.sum(dim=1)), parts, is_field)[rows, places]
        found = heeded @ fields[rows]
        told = [attributes.flatten(1), columns["features"][rows, places].float(), found.flatten(1)]
        if self.variant.has_overlap:
            shares = overlap(columns["elements"][rows, places], columns["fields"][rows])
            told += [agreement(heeded), shares.flatten(1)]
        elements = laid_out(torch.relu(self.element(torch.cat(told, dim=1))))
        if self.variant.is_recurrent:
            elements = elements + self._read(elements, is_there)
        deeds = self._deeds(fields, is_field)
        doers, deeds = (encoded.reshape(*encoded.shape[:2], self.products, -1) for encoded in (elements, deeds))
        pairs: Tensor = torch.einsum("bepd,bfpd->befp", doers, deeds) * doers.shape[3] ** -0.5
        page = torch.relu(self.page(mean(elements, is_there)))
        return (pairs + page[:, None, None]).flatten(1, 2)

    def _embed(self, texts: Tensor) -> Tensor:
        """Return the mean (..., token) of the tokens' embeddings of texts (..., tokens)."""
        rows = texts.flatten(0, -2).int()
        means = nn.functional.embedding_bag(rows, self.tokens.weight, mode="mean", padding_idx=PADDING)
        return means.reshape(*texts.shape[:-1], -1)

    def _read(self, elements: Tensor, is_there: Tensor) -> Tensor:
        """Return what the LSTM tells of each element (B, E, size), with 0 for those that are not there."""
        # Dense, and backwards by turning pages around: torch's gradients of packed sequences take quadratic time.
        lengths = is_there.sum(dim=1, keepdim=True)
        longest = int(lengths.max())
        places = torch.arange(longest, device=lengths.device)
        turned = torch.where(places < lengths, lengths - 1 - places, places)[:, :, None]
        page = elements[:, :longest]
        (ahead, _), (back, _) = self.readers[0](page), self.readers[1](page.gather(1, turned.expand_as(page)))
        read = torch.cat([ahead, back.gather(1, turned.expand_as(back))], dim=2) * is_there[:, :longest, None]
        return nn.functional.pad(read, (0, 0, 0, elements.shape[1] - longest))

    def _deeds(self, fields: Tensor, is_field: Tensor) -> Tensor:
        """Return the encodings (B, 1 + F, size) of a click, which heeds all fields alike, and of typing each field."""
        click, typing = self.kinds.weight
        return torch.cat([(click + mean(fields, is_field))[:, None], typing + fields], dim=1)


def mean(encodings: Tensor, is_there: Tensor) -> Tensor:
    """Return the mean (B, size) of those of the encodings (B, n, size) that are there, (B, n); 0 where none is."""
    weights = is_there.float()[:, :, None]
    return (encodings * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)


def attend(elements: Tensor, parts: Tensor, is_field: Tensor) -> Tensor:
    """Return how much elements heed each field, by what they resemble, (B, E, parts, F).

    There is a head for each part of a field. An element may also attend to nothing, which has the logit 0.

    Args:
        elements: embedded, (B, E, token).
        parts: embedded, (B, F, parts, token).
        is_field: which of the fields are there, (B, F).
    """
    logits = torch.einsum("bed,bfpd->bepf", elements, parts) * elements.shape[2] ** -0.5
    logits = logits.masked_fill(~is_field[:, None, None], NOTHING)
    return torch.softmax(nn.functional.pad(logits, (1, 0)), dim=3)[..., 1:]


def agreement(heeded: Tensor) -> Tensor:
    """Return how likely the heads for the key and for the value choose the same field, (N, 1).

    That is high where an input named by a key holds the value.

    Args:
        heeded: (N, parts, F), see `attend`.
    """
    return (heeded[:, 0] * heeded[:, 1]).sum(dim=1, keepdim=True)


def overlap(elements: Tensor, fields: Tensor) -> Tensor:
    """Return the share of the words of each part of each field that occur in an element, (N, F, parts).

    Args:
        elements: tokens, (N, attributes, tokens).
        fields: tokens, of the fields of each element's page, (N, F, parts, tokens).
    """
    there = elements.flatten(1)[:, None, None, :]
    found = torch.stack([(there == word[..., None]).any(dim=3) for word in fields.unbind(dim=3)], dim=3)
    is_word = fields != PADDING
    return (found & is_word).sum(dim=3) / is_word.sum(dim=3).clamp(min=1)
