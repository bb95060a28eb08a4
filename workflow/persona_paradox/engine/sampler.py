"""Choice of the next token, by llama.cpp's own samplers."""

from __future__ import annotations

import ctypes

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .decoding import Decoding
from .vocabulary import Vocabulary

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Chooses the tokens of one answer; draws depend on the seed and the logits alone.

    Args:
        vocabulary: the model's.
        decoding: temperature, min-p, top-p and grammar.
        seed: of this answer's draws, 32 bits.
        name: what an error calls the origin of the grammar.

    Raises:
        InputError: llama.cpp cannot parse the grammar.
    """

    def __init__(self, vocabulary: Vocabulary, decoding: Decoding, seed: int, name: str) -> None:
        self._grammar = self._draw = None
        self._candidates = np.zeros(vocabulary.size, dtype=_TOKEN_DATA)
        if decoding.grammar is not None:
            self._grammar = llama_cpp.llama_sampler_init_grammar(
                vocabulary.pointer, decoding.grammar.encode(), b"root"
            )
            if not self._grammar:
                raise InputError(
                    f"{name}: llama.cpp cannot parse the grammar; mend key `decoding.grammar` or "
                    "`decoding.json_schema`"
                )
        if decoding.temperature > 0:
            chain = llama_cpp.llama_sampler_chain_init(
                llama_cpp.llama_sampler_chain_default_params()
            )
            for part in (
                llama_cpp.llama_sampler_init_temp(decoding.temperature),
                llama_cpp.llama_sampler_init_min_p(decoding.min_p, 1),
                llama_cpp.llama_sampler_init_top_p(decoding.top_p, 1),
                llama_cpp.llama_sampler_init_dist(seed),
            ):
                llama_cpp.llama_sampler_chain_add(chain, part)
            self._draw = chain

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token. Shape of the logits: (vocabulary,)."""
        if self._grammar is None and self._draw is None:
            # The lowest id wins a tie.
            return int(np.argmax(logits))
        self._candidates["id"] = np.arange(len(logits), dtype=np.int32)
        self._candidates["logit"] = logits
        candidates = llama_cpp.llama_token_data_array(
            data=self._candidates.ctypes.data_as(llama_cpp.llama_token_data_p),
            size=len(logits),
            selected=-1,
            sorted=False,
        )
        if self._grammar is not None:
            llama_cpp.llama_sampler_apply(self._grammar, ctypes.byref(candidates))
        if self._draw is None:
            token = int(np.argmax(self._candidates["logit"]))
        else:
            llama_cpp.llama_sampler_apply(self._draw, ctypes.byref(candidates))
            token = int(candidates.data[candidates.selected].id)
        if self._grammar is not None:
            llama_cpp.llama_sampler_accept(self._grammar, token)
        return token

    def close(self) -> None:
        """Free what llama.cpp holds."""
        for sampler in (self._grammar, self._draw):
            if sampler is not None:
                llama_cpp.llama_sampler_free(sampler)
        self._grammar = self._draw = None
