"""What TRL computes needlessly, and its trainers are kept from. They learn the same, but for last bits.

A prompt is computed once for all the replies to it. The replies of a group answer one prompt, which has some
hundred tokens where a reply has some dozen, so eight replies that are computed apart are the same prompt
eight times. Here the keys and values of each different prompt are computed once, and the replies attend to
them, when they are sampled and when they are learned from; gradients flow through what is shared. Replies to
one prompt lie in one batch of their step, if it has room. Padding has no position, as in `generate`; TRL
counts it where it learns, which only a model with learned positions can tell.

All is as TRL does it where sharing cannot be done, or would not be the same: several processes, recomputed
activations (no keys are kept), dropout (each reply has its own), images, losses and router logits of mixtures
of experts, and layers or positions that depend on more than what came before. Where vLLM samples, it shares
prompts of itself.

On a processor, only what is learned from is taken through the vocabulary; TRL 1.16 takes the prompt through
it, too, and leaves the result out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any


@contextmanager
def learned_alone() -> Iterator[None]:
    """TRL's losses score the tokens that have a label, and no others, on a processor as on a GPU."""
    from trl.trainer import utils

    # What it asks there is whether to leave out the others; it does so where Triton is.
    before: Any = getattr(utils, "_use_triton", None)
    with _in_place_of(utils, "_use_triton", lambda device: device.type == "cpu" or before(device)):
        yield


def sharing(trainer: type[Any]) -> type[Any]:
    """TRL's trainer of groups, computing each prompt of a batch once."""

    class Sharing(trainer):  # type: ignore[misc]
        """A trainer of TRL whose replies share their prompts."""

        def _get_per_token_logps_and_entropies(
            self,
            model: Any,
            input_ids: Any,
            attention_mask: Any,
            logits_to_keep: int,
            batch_size: int | None = None,
            compute_entropy: bool = False,
            compute_aux_loss: bool = False,
            **others: Any,
        ) -> tuple[Any, Any, Any]:
            import torch
            from torch.nn.functional import pad

            asked = {"compute_entropy": compute_entropy, "compute_aux_loss": compute_aux_loss}
            plain = not compute_aux_loss and all(value is None for value in others.values())
            if not (plain and self._shares()):
                return super()._get_per_token_logps_and_entropies(  # type: ignore[no-any-return]
                    model, input_ids, attention_mask, logits_to_keep, batch_size, **asked, **others
                )
            size = batch_size or len(input_ids)
            log_probs, entropies = [], []
            for whole, known in zip(input_ids.split(size), attention_mask.split(size), strict=True):
                # They are padded on both sides for the longest of the step, which may lie in another batch.
                first = int(known.any(dim=0).int().argmax())
                length = max(1, int(known[:, -logits_to_keep:].any(dim=0).sum()))
                left = logits_to_keep - length
                ids, mask = (each[:, first : each.size(1) - left] for each in (whole, known))
                cut = ids.size(1) - length - 1  # a prompt's last token foretells the first of a reply
                rest = ids[:, cut:]
                labels = rest.masked_fill(mask[:, cut:] == 0, -100)
                labels[:, 0] = -100
                with self.accelerator.autocast():
                    cache = prompt_cache(model, ids[:, :cut], mask[:, :cut])
                    found = model(
                        input_ids=rest,
                        attention_mask=mask,
                        position_ids=places(mask)[:, cut:],
                        past_key_values=cache,
                        labels=labels,
                        fused_lm_head=True,
                    )
                log_probs.append(pad(found.log_probs[:, -length:], (0, left)))
                if compute_entropy:
                    entropies.append(pad(found.entropy[:, -length:], (0, left)))
            return torch.cat(log_probs), torch.cat(entropies) if compute_entropy else None, None

        def _prepare_inputs(self, *args: Any, **kwargs: Any) -> Any:
            from trl.trainer import grpo_trainer

            if not self._shares() or self.loss_type == "bnpo":  # it weighs tokens by those of their batch
                return super()._prepare_inputs(*args, **kwargs)
            # Mixed, the replies to a prompt would lie in all batches of a step, and it is the same step.
            with _in_place_of(grpo_trainer, "shuffle_sequence_dict", lambda rows: rows):
                return super()._prepare_inputs(*args, **kwargs)

        def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
            if self.use_vllm or self.use_transformers_continuous_batching or not self._shares():
                return super()._generate_single_turn(*args, **kwargs)
            with _prompts_before_replies(self.accelerator.unwrap_model(self.model_wrapped)):
                return super()._generate_single_turn(*args, **kwargs)

        def _shares(self) -> bool:
            apart = self.accelerator.num_processes > 1 or self.is_fsdp_enabled or self.is_deepspeed_enabled
            recomputes = self.args.gradient_checkpointing or self.args.activation_checkpointing
            return not (apart or recomputes) and shares_prompts(self.model)

    Sharing.__name__ = trainer.__name__  # TRL looks it up in its messages
    return Sharing


def prompt_cache(model: Any, ids: Any, mask: Any) -> Any:
    """Keys and values of a batch of prompts, each different one computed once.

    Args:
        model: a model of transformers.
        ids: (batch, length) tokens, padded on the left; of length 0 where there is nothing to keep.
        mask: (batch, length) 1 where a token counts.

    Returns:
        A cache of the whole batch, in its order; gradients flow through it to where they come from.
    """
    import torch
    from transformers import DynamicCache

    make: Any = DynamicCache
    cache = make(config=model.config.get_text_config(decoder=True))
    if not ids.size(1):
        return cache
    both, which = torch.unique(torch.stack([ids, mask], dim=2), dim=0, return_inverse=True)
    model(
        input_ids=both[..., 0].contiguous(),
        attention_mask=both[..., 1].contiguous(),
        position_ids=places(both[..., 1]),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    cache.batch_select_indices(which)
    return cache


def places(mask: Any) -> Any:
    """Positions of tokens as `generate` counts them: padding does not count."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)


@contextmanager
def _in_place_of(module: Any, name: str, other: Any) -> Iterator[None]:
    """Another function under a name of TRL's, if this version of it has the name."""
    before = getattr(module, name, None)
    if before is not None:
        setattr(module, name, other)
    try:
        yield
    finally:
        if before is not None:
            setattr(module, name, before)


@contextmanager
def _prompts_before_replies(model: Any) -> Iterator[None]:
    """Lets `generate` begin with the cache of its prompts."""
    generate = model.generate

    def shared(*, input_ids: Any, attention_mask: Any, **given: Any) -> Any:
        kinds = (
            given["generation_config"].cache_implementation,
            model.generation_config.cache_implementation,
        )
        if set(given) == {"generation_config"} and kinds == (None, None):
            given["past_key_values"] = prompt_cache(model, input_ids[:, :-1], attention_mask[:, :-1])
        return generate(input_ids=input_ids, attention_mask=attention_mask, **given)

    model.generate = shared
    try:
        yield
    finally:
        del model.generate


def shares_prompts(model: Any) -> bool:
    """Whether what a model computes of a prompt is the same for each text that goes on from it.

    It is where each layer keeps keys and values of all that came before and of nothing else, where positions
    depend on nothing that follows, and where nothing is drawn.
    """
    import torch
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    make: Any = DynamicCache
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model  # PEFT's, or its own
    config = model.config.get_text_config(decoder=True)
    rotation = str(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None))
    return (
        {"past_key_values", "position_ids"} <= set(signature(whole.forward).parameters)
        and all(type(layer) is DynamicLayer for layer in make(config=config).layers)
        and not any(kind in rotation for kind in ("dynamic", "longrope"))
        and not getattr(config, "output_router_logits", False)
        and not getattr(config, "attention_dropout", 0.0)
        and not any(isinstance(each, torch.nn.Dropout) and each.p > 0 for each in model.modules())
    )
