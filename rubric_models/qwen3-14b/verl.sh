#!/usr/bin/env bash
# Co-ReAct's settings for Qwen3-14B in verl 0.9, for clusters: Ray, vLLM rollouts, FSDP.
#
#   rubric_models/qwen3-14b/verl.sh TRAIN.parquet VALID.parquet OUT [NODES] [GPUS A NODE] [more=overrides …]
#
# TRAIN and VALID are rows of `coreact.train.row_files` of kind `verl`. The reward is the function that the
# recipe beside this file uses, by checks alone. verl needs transformers below 5.11 and so an environment of
# its own, in which `coreact` is installed without the extra `train`.
# Written from verl's sources (v0.9.0); it was not run: there was no cluster.
set -euo pipefail

train=$1 valid=$2 out=$3 nodes=${4:-1} gpus=${5:-8}
shift $(($# < 5 ? $# : 5))
reward=$(python3 -c 'from importlib.util import find_spec; print(find_spec("coreact.train.rewards.verl").origin)')

exec python3 -m verl.trainer.main_ppo \
  algorithm.adv_estimator=grpo \
  algorithm.norm_adv_by_std_in_grpo=True \
  algorithm.use_kl_in_reward=False \
  data.train_files="$train" \
  data.val_files="$valid" \
  data.train_batch_size=32 \
  data.max_prompt_length=8192 \
  data.max_response_length=2048 \
  data.truncation=error \
  data.filter_overlong_prompts=True \
  actor_rollout_ref.model.path=Qwen/Qwen3-14B \
  actor_rollout_ref.model.enable_gradient_checkpointing=True \
  actor_rollout_ref.actor.optim.lr=2e-6 \
  actor_rollout_ref.actor.optim.lr_warmup_steps=10 \
  actor_rollout_ref.actor.ppo_mini_batch_size=32 \
  actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2 \
  actor_rollout_ref.actor.clip_ratio=0.2 \
  actor_rollout_ref.actor.use_kl_loss=True \
  actor_rollout_ref.actor.kl_loss_coef=0.005 \
  actor_rollout_ref.actor.kl_loss_type=low_var_kl \
  actor_rollout_ref.actor.entropy_coeff=0 \
  actor_rollout_ref.actor.loss_agg_mode=token-mean \
  actor_rollout_ref.rollout.name=vllm \
  actor_rollout_ref.rollout.n=8 \
  actor_rollout_ref.rollout.temperature=1.0 \
  actor_rollout_ref.rollout.tensor_model_parallel_size=2 \
  actor_rollout_ref.rollout.gpu_memory_utilization=0.5 \
  actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4 \
  actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu=4 \
  reward.custom_reward_function.path="$reward" \
  reward.custom_reward_function.name=compute_score \
  +reward.custom_reward_function.reward_kwargs.form=lines \
  +reward.custom_reward_function.reward_kwargs.settings.full_candidates=2 \
  +reward.custom_reward_function.reward_kwargs.settings.floor_criteria=2 \
  trainer.critic_warmup=0 \
  trainer.total_epochs=2 \
  trainer.save_freq=20 \
  trainer.test_freq=20 \
  trainer.nnodes="$nodes" \
  trainer.n_gpus_per_node="$gpus" \
  trainer.project_name=coreact \
  trainer.experiment_name=qwen3-14b \
  trainer.default_local_dir="$out" \
  trainer.logger='["console"]' \
  +data.apply_chat_template_kwargs.enable_thinking=False \
  "$@"
