"""The table of bad options: what is typed, a bar, and the words that the one line of error has to hold.

``{home}`` stands for the folder of :func:`make_home`. The lines of VALUES follow ``skd distill --loss none`` on a small
corpus, those of OBJECTIVES ``skd fit`` of a student; those of COMMANDS are whole commands.
"""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from small_corpus import write_corpus
from small_runs import SMALL

STUDENT = "distill --loss none --task mine --data {home} --runs {home}/runs"
FIT = "fit --config experiments/student.yaml --data.task mine --data.data {home} --trainer.default_root_dir {home}/out"
QUICK = " ".join([*SMALL, "--trainer.max_epochs", "1"])

VALUES = r"""
--seed -1 | --seed
--seed 99999999999 | --seed
--seed 4294967296 | --seed
--seed_everything -5 | --seed_everything is -5
--seed_everything 1e30 | --seed_everything
--data.seed -1 | --data.seed is -1
--data.seed 99999999999999999999999 | --data.seed is 99999999999999999999999
--data.tokens 0 | --data.tokens is 0, it must be at least 1
--data.tokens -1000 | --data.tokens is -1000
--data.tokens 99999999999999999999 | --data.tokens
--data.tokens 1e400 | --data.tokens
--data.eval_tokens 0 | --data.eval_tokens is 0
--data.eval_tokens -7 | --data.eval_tokens is -7
--data.exponent -1 | --data.exponent is -1
--data.exponent .nan | --data.exponent is nan
--data.exponent .inf | --data.exponent is inf
--data.exponent 1e300 | --data.exponent is 1e+300
--data.max_train_sentences -3 | --data.max_train_sentences is -3
--data.max_train_sentences 0 | --data.max_train_sentences is 0
--data.max_train_sentences 1.5 | --data.max_train_sentences: '1.5' is not
--data.max_train_sentences 10 --data.held_back -3 | --data.held_back is -3
--data.held_back 5 | give both
--data.generated_tags true | --data.generated makes: give its number too
--data.generated_kinds.splyce 2.0 | --data.generated makes: give its number too
--data.sample '{"tam": 100}' | --data.sample names tam; the languages are
--data.generated -1 | --data.generated is -1
--data.generated 3 --data.generated_kinds '{"swap": 0.1}' | the kinds are splice, replace, pseudo
--data.generated 3 --data.generated_kinds '{"splice": 2}' | --data.generated_kinds
--data.generated 3 --data.generated_kinds often | --data.generated_kinds
--data.max_dev_sentences 0 | --data.max_dev_sentences is 0
--data.max_dev_sentences -1 | --data.max_dev_sentences is -1
--data.unlabelled_ratio -1 | --data.unlabelled_ratio is -1
--data.unlabelled_ratio 1e9 | --data.unlabelled_ratio is 1000000000
--data.unlabelled_ratio .nan | --data.unlabelled_ratio is nan
--data.unlabelled_ratio .inf | --data.unlabelled_ratio is inf
--data.workers -1 | --data.workers is -1
--data.workers 100000 | --data.workers is 100000
--data.sample 5 | --data.sample
--data.sample -5 | --data.sample
--data.sample '{"en": -5}' | --data.sample
--data.sample '{"en": "x"}' | --data.sample
--data.word_column -1 | --data.word_column is -1
--data.word_column 99 | column
--data.word_column 99999999999999999999 | --data.word_column
--data.tag_column 99 | column
--data.tag_column -99999999999999999999 | --data.tag_column
--data.encoding nothing-8 | encoding
--data.encoding punycode | encoding
--data.encoding '' | encoding
--data.languages [] | --data.languages
--data.languages '[""]' | language
--data.languages '["xx"]' | 'xx'
--data.languages '["de","de"]' | 'de'
--data.languages de | --data.languages
--data.languages '[false]' | --data.languages
--data.text_only '["xx"]' | --data.text_only names xx
--data.text_only '["de","en"]' | --data.text_only names all
--data.unlabelled {home}/nowhere | nowhere
--data.unlabelled {home}/mine/de/train.tsv | train.tsv
--data.scheme iob9 | --data.scheme: there is no 'iob9'
--data.batches triple | --data.batches: there is no 'triple'
--data.tokens abc | --data.tokens: 'abc' is not of type int
--data.tokens null | --data.tokens: it is empty
--data.task null | --data.task: it is empty
--model.optimization null | --model.optimization: it is empty
--model.context null | --model.context: it is empty
--data.remove_duplicates perhaps | --data.remove_duplicates
--threads 0 | --threads is 0
--threads -1 | --threads is -1
--threads 100000 | --threads is 100000
--threads 1.5 | --threads
--patience -1 | --patience is -1
--patience x | --patience
--wandb '' | --wandb
--compile maybe | --compile
--model.context.hidden_size 0 | --model.context.hidden_size is 0
--model.context.hidden_size -8 | --model.context.hidden_size is -8
--model.context.hidden_size 100000000000000 | --model.context.hidden_size is 100000000000000
--model.context.layers 0 | --model.context.layers is 0
--model.context.layers 100000000000000 | --model.context.layers is 100000000000000
--model.context.layers 10000 | --model.context.layers is 10000
--model.context.dropout 1 | --model.context.dropout is 1
--model.context.dropout -0.1 | --model.context.dropout is -0.1
--model.context.dropout .nan | --model.context.dropout is nan
--model.context.dropout 33 | --model.context.dropout is 33
--model.embedder.dropout 1.5 | --model.embedder.dropout is 1.5
--model.embedder.dropout 1 | --model.embedder.dropout is 1
--model.embedder.dropout -1 | --model.embedder.dropout is -1
--model.embedder.form_dropout 2 | --model.embedder.form_dropout is 2
--model.embedder.form_dropout -0.5 | --model.embedder.form_dropout is -0.5
--model.embedder.buckets 0 | --model.embedder.buckets is 0
--model.embedder.buckets -1 | --model.embedder.buckets is -1
--model.embedder.buckets 100000000000000 | --model.embedder.buckets is 100000000000000
--model.embedder.buckets 2000000000 --model.embedder.embedding_size 4096 | memory
--model.embedder.embedding_size 0 | --model.embedder.embedding_size is 0
--model.embedder.embedding_size 99999999999999 | --model.embedder.embedding_size is
--model.embedder.word_embedding_size -1 | --model.embedder.word_embedding_size is -1
--model.embedder.min_count -2 | --model.embedder.min_count is -2
--model.embedder.sparse 7 | --model.embedder.sparse
--model.wide.l2 0 | --model.wide.l2 is 0
--model.wide.l2 -1 | --model.wide.l2 is -1
--model.wide.l2 .nan | --model.wide.l2 is nan
--model.wide.l2 .inf | --model.wide.l2 is inf
--model.wide.l2_of_languages 0 | --model.wide.l2_of_languages is 0
--model.wide.iterations 0 | --model.wide.iterations is 0
--model.wide.iterations -4 | --model.wide.iterations is -4
--model.decoder crff | --model.decoder: there is no 'crff'
--model.decoding marginals | --model.decoding
--model.decoding entities --model.decoder softmax | --model.decoding entities needs
--model.decoding entities --model.constrain false | --model.decoding entities needs
--model.decoding best | --model.decoding: there is no 'best'
--model.optimization.encoder_lr -1 | --model.optimization.encoder_lr is -1
--model.optimization.encoder_lr .nan | --model.optimization.encoder_lr is nan
--model.optimization.encoder_lr .inf | --model.optimization.encoder_lr is inf
--model.optimization.encoder_lr 1e400 | --model.optimization.encoder_lr is inf
--model.optimization.head_lr -0.001 | --model.optimization.head_lr is -0.001
--model.optimization.transitions_lr -1 | --model.optimization.transitions_lr is -1
--model.optimization.pretrained_lr -1 | --model.optimization.pretrained_lr is -1
--model.optimization.weight_decay -1 | --model.optimization.weight_decay is -1
--model.optimization.warmup 1 | --model.optimization.warmup is 1
--model.optimization.warmup -0.1 | --model.optimization.warmup is -0.1
--model.optimization.warmup .nan | --model.optimization.warmup is nan
--model.optimization.schedule plateau --model.optimization.warmup 0.1 | warmup needs schedule linear
--model.optimization.plateau_factor 1 | --model.optimization.plateau_factor is 1
--model.optimization.plateau_factor 0 | --model.optimization.plateau_factor is 0
--model.optimization.plateau_factor -1 | --model.optimization.plateau_factor is -1
--model.optimization.plateau_patience -1 | --model.optimization.plateau_patience is -1
--model.optimization.optimizer adam | --model.optimization.optimizer: there is no 'adam'
--model.optimization.schedule cosine | --model.optimization.schedule: there is no 'cosine'
--model.annealing.start 2 | --model.annealing.start is 2
--model.annealing.start -0.1 | --model.annealing.start is -0.1
--model.annealing.start .nan | --model.annealing.start is nan
--model.annealing.epochs 0 | --model.annealing.epochs is 0
--model.annealing.epochs -3 | --model.annealing.epochs is -3
--model.annealing.epochs .nan | --model.annealing.epochs is nan
--model.unlabelled_annealing.start 7 | --model.unlabelled_annealing.start is 7
--distillation.most_disagreement -1 | --distillation.most_disagreement is -1
--distillation.most_disagreement .nan | --distillation.most_disagreement is nan
--distillation.precision float8 | --distillation.precision: there is no 'float8'
--distillation.pool sum | --distillation.pool: there is no 'sum'
--distillation.weights even | --distillation.weights: there is no 'even'
--trainer.max_epochs 0 | --trainer.max_epochs is 0
--trainer.max_epochs -5 | --trainer.max_epochs is -5
--trainer.max_epochs 1.5 | --trainer.max_epochs
--trainer.max_epochs -1 | --trainer.max_steps
--trainer.max_steps 0 | --trainer.max_steps is 0
--trainer.max_steps -7 | --trainer.max_steps is -7
--trainer.max_steps 1 --data.tokens 40 | --trainer.max_steps is 1
--trainer.max_epochs -1 --trainer.max_steps 1 --data.tokens 40 | --trainer.max_steps is 1
--trainer.min_epochs -1 | --trainer.min_epochs is -1
--trainer.min_steps -1 | --trainer.min_steps is -1
--trainer.limit_val_batches 0 | --trainer.limit_val_batches is 0
--trainer.limit_val_batches -1 | --trainer.limit_val_batches is -1
--trainer.limit_val_batches 1.5 | --trainer.limit_val_batches is 1.5
--trainer.limit_train_batches 0 | --trainer.limit_train_batches is 0
--trainer.limit_train_batches -2 | --trainer.limit_train_batches is -2
--trainer.limit_test_batches 0 | --trainer.limit_test_batches is 0
--trainer.limit_test_batches -2 | --trainer.limit_test_batches is -2
--trainer.check_val_every_n_epoch 5 | --trainer.check_val_every_n_epoch is 5
--trainer.check_val_every_n_epoch 0 | --trainer.check_val_every_n_epoch is 0
--trainer.check_val_every_n_epoch -1 | --trainer.check_val_every_n_epoch is -1
--trainer.val_check_interval 0 | --trainer.val_check_interval is 0
--trainer.val_check_interval -1 | --trainer.val_check_interval is -1
--trainer.val_check_interval 99999 | --trainer.val_check_interval is 99999
--trainer.val_check_interval 1.5 | --trainer.val_check_interval is 1.5
--trainer.fast_dev_run true | --trainer.fast_dev_run
--trainer.fast_dev_run 3 | --trainer.fast_dev_run
--trainer.overfit_batches 1 | --trainer.overfit_batches
--trainer.overfit_batches -1 | --trainer.overfit_batches
--trainer.barebones true | --trainer.barebones
--trainer.enable_checkpointing false | --trainer.enable_checkpointing
--trainer.accumulate_grad_batches 0 | --trainer.accumulate_grad_batches is 0
--trainer.accumulate_grad_batches -2 | --trainer.accumulate_grad_batches is -2
--trainer.accumulate_grad_batches 999999999999 | --trainer.accumulate_grad_batches is 999999999999
--trainer.gradient_clip_val -1 | --trainer.gradient_clip_val is -1
--trainer.gradient_clip_val .nan | --trainer.gradient_clip_val is nan
--trainer.gradient_clip_val x | --trainer.gradient_clip_val
--trainer.gradient_clip_algorithm size | --trainer.gradient_clip_algorithm
--trainer.precision 7 | --trainer.precision
--trainer.precision 16-true | --trainer.precision
--trainer.precision 64-true --trainer.gradient_clip_val -5 | --trainer.gradient_clip_val is -5
--trainer.devices 0 | --trainer.devices
--trainer.devices -3 | --trainer.devices
--trainer.devices 1000000 | --trainer.devices is 1000000
--trainer.devices x | --trainer.devices
--trainer.devices [] | --trainer.devices
--trainer.num_nodes 0 | --trainer.num_nodes is 0
--trainer.num_nodes -1 | --trainer.num_nodes is -1
--trainer.accelerator quantum | --trainer.accelerator
--trainer.accelerator tpu | --trainer.accelerator
--trainer.strategy clever | --trainer.strategy
--trainer.profiler clever | --trainer.profiler
--trainer.max_time soon | --trainer.max_time is soon
--trainer.max_time 00:00:00:00 | --trainer.max_time
--trainer.num_sanity_val_steps -5 | --trainer.num_sanity_val_steps is -5
--trainer.reload_dataloaders_every_n_epochs -1 | --trainer.reload_dataloaders_every_n_epochs is -1
--trainer.log_every_n_steps -1 | --trainer.log_every_n_steps is -1
--trainer.callbacks nothing | --trainer.callbacks
--trainer.callbacks '[{"class_path": "os.system"}]' | --trainer.callbacks
--trainer.plugins nothing | --trainer.plugins
--trainer.logger nothing | --trainer.logger
--trainer.use_distributed_sampler 3 | --trainer.use_distributed_sampler
--trainer.deterministic maybe | --trainer.deterministic
--trainer.detect_anomaly x | --trainer.detect_anomaly
--trainer.max_epoch 3 | unknown option --trainer.max_epoch: did you mean --trainer.max_epochs?
--trainer.max 3 | unknown option --trainer.max
--data.tok 30 | unknown option --data.tok
--data.seeed 3 | unknown option --data.seeed: did you mean --data.seed?
--model.optim.encoder_lr 1 | did you mean --model.optimization.encoder_lr?
--model.embedder.bucket 1 | unknown option --model.embedder.bucket: did you mean --model.embedder.buckets?
--model.embedder Nothing | --model.embedder: there is no 'Nothing'
--model.embedder os.system | --model.embedder
--model.embedder '' | --model.embedder
--model os.system | --model
--model 3 | --model
--model.embedder StaticEmbedder --model.embedder.path {home}/nothing.bin | nothing.bin
--model.embedder StaticEmbedder --model.embedder.path no.bin --model.embedder.size 0 | --model.embedder.size is 0
--model.tags x | --model.tags
--data 3 | 3: no folder
--trainer 3 | --trainer
--see 3 | unknown option --see: did you mean '--seed'?
--patien 3 | unknown option --patien: did you mean --patience?
--thread 3 | unknown option --thread: did you mean --threads?
--optimizer x | unknown option --optimizer
-x | -x
word | word
--name ../../../out | --name
--name ../out | --name
--name {home}/out | --name
--name . | --name
--name .. | --name
--name '' | --name
--name teachers | --name
--name peers | --name
--name report | --name
--name a/b | --name
--name 'a\b' | --name
--name '[/x]' | --name
--name {long} | --name
--name {bell} | --name
--name {newline} | --name
--name '{escape}' | --name
--name {surrogate} | --name
--name ' ' | --name
--recipe bset | --recipe: there is no 'bset': did you mean 'best'?
--langs | --langs
--langs '' | language
--langs ../de | '../de'
--langs xx | 'xx'
--langs '[/x]' | '[/x]'
--teachers | --teachers
--config {home}/nothing.yaml | nothing.yaml
--config {home}/utf16.yaml | utf16.yaml
--config {home}/binary.yaml | binary.yaml
--config {home}/null.yaml | null.yaml
--config {home}/deep.yaml | deep.yaml
--config {home}/deep_blocks.yaml | deep_blocks.yaml
--config {home}/bomb.yaml | bomb.yaml
--config {home}/circle.yaml | circle.yaml
--config {home}/python.yaml | python.yaml
--config {home}/list.yaml | list.yaml
--config {home}/text.yaml | text.yaml
--config {home}/twice.yaml | twice.yaml
--config {home}/unknown.yaml | --data.tokns
--config {home}/range.yaml | --data.tokens is -3
--config {home}/type.yaml | --data.tokens
--config {home}/unclosed.yaml | unclosed.yaml
--config {home}/mine | mine
--config {home}/pipe | pipe
--config {home}/large.yaml | large.yaml
--config '{brackets}' | --config
--config | --config
--data.sample '{brackets}' | --data.sample
--model.embedder '{brackets}' | --model.embedder
"""

OBJECTIVES = """
TopK --model.objective.k 0 | --model.objective.k is 0
TopK --model.objective.k -5 | --model.objective.k is -5
TopK --model.objective.k 100000000000000 | --model.objective.k is 100000000000000
TopK --model.objective.k 99999999999999999999999 | --model.objective.k is 99999999999999999999999
TopWK --model.objective.k 0 | --model.objective.k is 0
TopWK --model.objective.k 2000000000 | --model.objective.k is 2000000000
TopWK --model.objective.temperature -1 | --model.objective.temperature is -1
Posterior --model.objective.temperature 0 | --model.objective.temperature is 0
Posterior --model.objective.temperature .nan | --model.objective.temperature is nan
Posterior --model.objective.temperature .inf | --model.objective.temperature is inf
Posterior --model.objective.tempering x | --model.objective.tempering: there is no 'x'
Posterior --model.objective.k 3 | --model.objective.k is no option of Posterior
PosTopWK --model.objective.posterior_weight -5 | --model.objective.posterior_weight is -5
PosTopWK --model.objective.topwk_weight -1 | --model.objective.topwk_weight is -1
PosTopWK --model.objective.topwk_weight .nan | --model.objective.topwk_weight is nan
PosTopWK --model.objective.k -1 | --model.objective.k is -1
Structural --model.objective.alpha 2 | --model.objective.alpha is 2
Structural --model.objective.alpha -1 | --model.objective.alpha is -1
Structural --model.objective.alpha 1e-9 | --model.objective.alpha is 1e-09
Structural --model.objective.alpha .nan | --model.objective.alpha is nan
Structural --model.objective.temperature 0 | --model.objective.temperature is 0
PathSet --model.objective.mass 0 | --model.objective.mass is 0
PathSet --model.objective.mass 1.1 | --model.objective.mass is 1.1
PathSet --model.objective.mass .nan | --model.objective.mass is nan
Emission --model.objective.temperature -2 | --model.objective.temperature is -2
Token | --model.objective Token is for softmax decoders
Topk | --model.objective: there is no 'Topk'
os.system | --model.objective
'' | --model.objective
TopK --distillation.teachers {home}/nowhere | nowhere
TopK --distillation.teachers {home}/bomb.yaml | bomb.yaml
TopK --distillation.teachers {home}/utf16.yaml | utf16.yaml
TopK --distillation.teachers {home}/deep.yaml | deep.yaml
TopK --distillation.teachers {home}/python.yaml | python.yaml
TopK --distillation.teachers [] | --distillation.teachers
TopK --distillation.teachers 3 | in 3; train it with
"""

COMMANDS = """
report --out '' | --out
report --suite experiments/suites/demo.yaml --task uner | leave --runs and --task out
tag {home}/nowhere --out '' | --out
distil | unknown command 'distil': did you mean 'distill'?
--versio | unknown command '--versio'
'' | unknown command ''
'[/x]' | unknown command '[/x]'
distill --los topk | unknown option --los: did you mean '--loss'?
distill --loss topwkk | there is no 'topwkk': did you mean 'topwk'?
distill --loss | --loss
distill --seed one | --seed: invalid int value: 'one'
distill --seed 1.5 | --seed
distill --task | --task
distill --task ../out | --task
distill --task {home}/out | --task
distill --task '' | --task
distill --task cache | --task
distill --task logs | --task
distill --task {long} | --task
distill --task {bell} | --task
distill --task '[/x]' | --task
distill --task upso | 'upso'
distill --task mine --data {home}/nowhere | nowhere
distill --task mine --data {home}/mine/de/train.tsv | train.tsv
distill --task mine --data '' | --data
distill --loss none --task mine --data {home} --runs {home}/mine/de/train.tsv | train.tsv
distill --loss none --task mine --data {home} --runs '' | --runs
distill --loss none --task mine --data {home} --runs {home}/{long} | File name too long
distill --task mine --data {home} --runs {home}/runs --data.tokens -4 | --data.tokens is -4
distill --task mine --data {home} --runs {home}/runs --model.objective.k -4 | --model.objective.k is -4
distill --task mine --data {home} --runs {home}/runs | no teacher for language 'de'
distill --task nodev --data {home} --runs {home}/runs --loss none | dev
distill --task single --data {home} --runs {home}/runs --loss none | dev
distill --task emptytrain --data {home} --runs {home}/runs --loss none | train
teachers --task mine --data {home} --runs {home}/runs --devices 0 | --devices
teachers --task mine --data {home} --runs {home}/runs --devices -4 | --devices
teachers --task mine --data {home} --runs {home}/runs --langs xx | 'xx'
teachers --task mine --data {home} --runs {home}/runs --trainer.max_epochs 0 | --trainer.max_epochs is 0
teachers --task single --data {home} --runs {home}/runs | dev
demo --losses topkk | there is no 'topkk'
demo --losses | --losses
demo --runs | --runs
demo --run x | unknown option --run
demo --task ../x | --task
suite | file
suite {home}/nothing.yaml | nothing.yaml: no such suite
suite {home}/utf16.yaml | utf16.yaml
suite {home}/binary.yaml | binary.yaml
suite {home}/null.yaml | null.yaml
suite {home}/deep.yaml | deep.yaml
suite {home}/bomb.yaml | bomb.yaml
suite {home}/circle.yaml | circle.yaml
suite {home}/python.yaml | python.yaml
suite {home}/mine | mine
suite {home}/pipe | pipe
suite {home}/large.yaml | large.yaml
suite {home}/unclosed.yaml | unclosed.yaml
suite {home}/text.yaml | text.yaml
suite {home}/suite_name.yaml --data {home} | '../out'
suite {home}/suite_task.yaml | '../../out'
suite {home}/suite_range.yaml --data {home} | --data.tokens is -3
suite experiments/suites/demo.yaml --jobs 0 | --jobs
suite experiments/suites/demo.yaml --jobs -2 | --jobs
suite experiments/suites/demo.yaml --job 2 | unknown option --job: did you mean '--jobs'?
suite experiments/suites/demo.yaml --dry | unknown option --dry: did you mean '--dry-run'?
sweep-check | files
sweep-check {home}/nothing.yaml | nothing.yaml: no such sweep
sweep-check {home}/utf16.yaml | utf16.yaml
sweep-check {home}/binary.yaml | binary.yaml
sweep-check {home}/deep.yaml | deep.yaml
sweep-check {home}/bomb.yaml | bomb.yaml
sweep-check {home}/python.yaml | python.yaml
sweep-check {home}/mine | mine
sweep-local {home}/nothing.yaml | nothing.yaml
sweep-local experiments/sweeps/learning_rates.yaml --trials 0 | --trials
sweep-local experiments/sweeps/learning_rates.yaml --trials -1 | --trials
sweep-local experiments/sweeps/learning_rates.yaml --jobs 0 | --jobs
sweep-local experiments/sweeps/learning_rates.yaml --seed -1 | --seed
sweep-local experiments/sweeps/learning_rates.yaml --method bayes | there is no 'bayes'
zeroshot | --langs
zeroshot --langs xx --task ../x | --task
zeroshot --langs ../de --task mine --data {home} --runs {home}/runs | {home}
report --task ../x | --task
report --task mine --runs {home}/nowhere | nowhere
report --task mine --runs {home}/mine/de/train.tsv | train.tsv
corpus --task mine --data {home} --data.tokens 0 | --data.tokens is 0
corpus --task mine --data {home} --langs xx | 'xx'
corpus --task ../x | --task
export {home}/nowhere {home}/out | nowhere
export {home}/nowhere {home}/out --least-weight -1 | --least-weight
export {home}/nowhere {home}/out --least-weight nan | --least-weight
export {home}/nowhere {home}/out --tables int4 | there is no 'int4': did you mean
export {home}/nowhere {home}/out --push '' | --push
vectors {home}/nowhere {home}/out.safetensors --size 0 | --size
vectors {home}/nowhere {home}/out.safetensors --size -5 | --size
tag {home}/nowhere --k -1 | --k is -1
tag {home}/nowhere --threshold 2 | threshold
tag {home}/nowhere {home}/nothing.txt | nothing.txt
fit --trainer.max_epohs 3 | unknown option --trainer.max_epohs: did you mean --trainer.max_epochs?
fit --model 7 | --model
fit | --model
fit --help-al | unknown option --help-al
fit --config {home}/nothing.yaml | nothing.yaml
fit --config {home}/bomb.yaml | bomb.yaml
fit --config {home}/deep.yaml | deep.yaml
fit --config {home}/utf16.yaml | utf16.yaml
fit --config experiments/student.yaml --trainer.max_epoch 3 | unknown option --trainer.max_epoch
fit {corpus} --ckpt_path {home}/nothing.ckpt | nothing.ckpt
fit --config experiments/student.yaml --ckpt_path http://127.0.0.1:9/a.ckpt | checkpoints are local files
test {corpus} --data.tokens 0 | --data.tokens is 0
test {corpus} --ckpt_path {home}/mine | mine
test {corpus} --ckpt_path {home}/binary.yaml | binary.yaml
validate {corpus} --trainer.devices 0 | --trainer.devices
predict {corpus} --ckpt_path {home}/nothing.ckpt | nothing.ckpt
job | kind
job train | work
job train '{}' | work
job train 7 | work
job train '{brackets}' | work
job fly x | there is no 'fly'
job zeroshot x | no ZeroshotTest as JSON
job zeroshot '{}' | runs
job zeroshot '{brackets}' | no ZeroshotTest as JSON
"""

DEPTH = 5000


def make_home(home: Path) -> Path:
    """Write the corpora and the configuration files that the table names."""
    sizes = {"train": 30, "dev": 10, "test": 10}
    write_corpus(home / "mine", ("de", "en"), sizes)
    one = "Anna\tB-PER\nlives\tO\n"
    for task, files in {
        "nodev": {"train": one, "dev": "", "test": one},
        "single": {"train": one},
        "emptytrain": {"train": "", "dev": one, "test": one},
    }.items():
        (home / task / "de").mkdir(parents=True)
        for split, text in files.items():
            (home / task / "de" / f"{split}.tsv").write_text(text)
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )
    suite = {"title": "t", "runs": str(home / "runs"), "tasks": {"mine": {}}, "variants": {"none": {}}}
    for name, content in {
        "utf16": "data:\n  tokens: 100\n".encode("utf-16"),
        "binary": bytes(range(256)) * 8,
        "null": b"data:\n  tokens: 1\0\0\n",
        "deep": b"data: " + b"[" * DEPTH + b"]" * DEPTH,
        "deep_blocks": "".join(" " * n + "a:\n" for n in range(DEPTH)).encode(),
        "bomb": bomb.encode(),
        "circle": b"data: &a\n  task: *a\n",
        "python": f"data:\n  task: !!python/object/apply:os.system ['touch {home}/executed']\n".encode(),
        "list": b"- data\n- trainer\n",
        "text": b"just words",
        "twice": b"data:\n  tokens: [1, 2\n    nothing: }\n",
        "unknown": b"data:\n  tokns: 3\n",
        "range": b"data:\n  tokens: -3\n",
        "type": b"data:\n  tokens: many\n",
        "unclosed": b"data: 'tokens\n",
        "large": b"#" * 20_000_000,
        "suite_name": json.dumps({**suite, "variants": {"../out": {"loss": "none"}}}).encode(),
        "suite_task": json.dumps({**suite, "tasks": {"../../out": {"languages": ["de"]}}}).encode(),
        "suite_range": json.dumps({**suite, "options": {"data.tokens": -3}}).encode(),
    }.items():
        (home / f"{name}.yaml").write_bytes(content)
    os.mkfifo(home / "pipe")
    return home


def cases(home: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the words of each command, and what its line of error has to hold."""
    places = {
        "corpus": f"--config experiments/student.yaml --data.task mine --data.data {home}",
        "home": str(home),
        "long": "x" * 300,
        "bell": "a\abc",
        "newline": "'a\nb'",
        "escape": "a\x1b[31mb",
        "surrogate": "a\udc80b",
        "brackets": "[" * DEPTH,
    }
    for prefix, lines, quick in (
        (STUDENT, VALUES, QUICK),
        (FIT + " --model.objective", OBJECTIVES, ""),
        ("", COMMANDS, ""),
    ):
        for line in lines.strip().splitlines():
            typed, _, expected = line.rpartition(" | ")
            before, after = (shlex.split(_filled(text, places)) for text in (prefix, typed))
            yield [*before, *quick.split(), *after], _filled(expected, places)


def _filled(text: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        text = text.replace(f"{{{name}}}", value)
    return text
