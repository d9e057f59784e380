"""The engine's interface, passed on to the scheduler's and the worker's side."""

from typing import Any

import torch
from vllm.distributed.kv_transfer.kv_connector.v1.base import (
    KVConnectorBase_V1,
    KVConnectorRole,
    KVConnectorTransferResults,
    SupportsHMA,
)
from vllm.logger import init_logger

from .config import Options
from .geometry import describe
from .metadata import IncipitMetadata
from .scheduler_side import SchedulerSide
from .stats import IncipitPromMetrics, IncipitStats, Recorder
from .worker_side import WorkerSide

logger = init_logger("vllm.incipit")


class IncipitConnector(KVConnectorBase_V1, SupportsHMA):
    """Loads prefixes from an incipit node, and stores what the engine computes there."""

    def __init__(self, vllm_config, role, kv_cache_config):
        super().__init__(vllm_config=vllm_config, role=role, kv_cache_config=kv_cache_config)
        options = Options.from_extra_config(self._kv_transfer_config.kv_connector_extra_config)
        geometry = describe(options, vllm_config, kv_cache_config)
        self._recorder = Recorder()
        self._several_groups = len(kv_cache_config.kv_cache_groups) > 1
        self._scheduler: SchedulerSide | None = None
        self._worker: WorkerSide | None = None
        if role == KVConnectorRole.SCHEDULER:
            _warn_of_settings(vllm_config)
            self._scheduler = SchedulerSide(options, geometry, self._recorder)
        else:
            rank = vllm_config.parallel_config.rank % vllm_config.parallel_config.tensor_parallel_size
            self._worker = WorkerSide(options, geometry, rank, kv_cache_config.num_blocks, self._recorder)

    # Scheduler

    @property
    def requires_kv_delivery(self) -> bool:
        return False  # a cache: a store that does not happen is a miss later

    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        return self._scheduler.match(request, num_computed_tokens)

    def update_state_after_alloc(self, request, blocks, num_external_tokens):
        self._scheduler.allocated(request, blocks.get_block_ids(), num_external_tokens)

    def build_connector_meta(self, scheduler_output):
        return self._scheduler.build_metadata(scheduler_output)

    def update_connector_output(self, connector_output):
        spoilt_blocks = self._scheduler.output(connector_output)
        if spoilt_blocks:
            # The engine caches blocks of a step as it begins, and keeps those behind a load that failed, to compute
            # them again. Should the request end before that, others would be given them.
            self._kv_cache_manager.evict_blocks(spoilt_blocks)

    def request_finished(self, request, block_ids):
        self._scheduler.finished(request)
        return False, None

    def request_finished_all_groups(self, request, block_ids):
        self._scheduler.finished(request)
        return False, None

    def reset_cache(self) -> bool | None:
        # Whoever resets it has changed the weights, and no block of the old ones may be found again.
        logger.warning(
            'incipit: the blocks of this model stay in the node. If its weights changed, start engines with another '
            '"namespace".'
        )
        return False

    # Worker

    def register_kv_caches(self, kv_caches: dict[str, torch.Tensor]):
        self._worker.register(kv_caches)

    def bind_connector_metadata(self, connector_metadata: IncipitMetadata):
        super().bind_connector_metadata(connector_metadata)
        self._worker.begin_step(connector_metadata)

    def start_load_kv(self, forward_context, **kwargs):
        self._worker.start_loads()

    def wait_for_layer_load(self, layer_name: str):
        self._worker.wait_layer(layer_name)

    def save_kv_layer(self, layer_name: str, kv_layer: torch.Tensor, attn_metadata, **kwargs):
        self._worker.save_layer(layer_name)

    def wait_for_save(self):
        self._worker.end_step()

    def get_finished(self, finished_req_ids: set[str]):
        results = self.get_transfer_results(finished_req_ids)
        return None, results.finished_recving

    def get_transfer_results(self, finished_req_ids: set[str]) -> KVConnectorTransferResults:
        finished, failed = self._worker.take_finished()
        # With several groups a block's index says nothing without its group, so the whole request counts as failed.
        return KVConnectorTransferResults(
            finished_recving=finished, failed_recving=failed if self._several_groups else set()
        )

    def get_block_ids_with_load_errors(self) -> set[int]:
        failed_blocks = self._worker.take_failed_blocks()
        return set() if self._several_groups else failed_blocks

    # Both

    def shutdown(self):
        for side in (self._scheduler, self._worker):
            if side is not None:
                side.close()

    def get_kv_connector_stats(self):
        return self._recorder.take()

    @classmethod
    def build_kv_connector_stats(cls, data: dict[str, Any] | None = None):
        return IncipitStats(data=dict(data or {}))  # a copy: it is added to, and others read the original

    @classmethod
    def build_prom_metrics(cls, vllm_config, metric_types, labelnames, per_engine_labelvalues):
        return IncipitPromMetrics(vllm_config, metric_types, labelnames, per_engine_labelvalues)

    @classmethod
    def requires_piecewise_for_cudagraph(cls, extra_config: dict[str, Any]) -> bool:
        return Options.from_extra_config(extra_config).layerwise


def _warn_of_settings(vllm_config) -> None:
    """Settings with which the engine runs, but not as its users expect."""
    if vllm_config.kv_transfer_config.kv_load_failure_policy != "recompute":
        logger.warning(
            'incipit: kv_load_failure_policy is "%s": a request whose blocks cannot be loaded FAILS. '
            'Set it to "recompute".',
            vllm_config.kv_transfer_config.kv_load_failure_policy,
        )
    if vllm_config.cache_config.prefix_caching_hash_algo.startswith("xxhash"):
        logger.warning(
            "incipit: %s is not collision resistant, and its hashes differ between processes unless PYTHONHASHSEED is "
            "set to one value for all: use sha256.",
            vllm_config.cache_config.prefix_caching_hash_algo,
        )
