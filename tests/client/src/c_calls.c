#include "tests/client/src/c_calls.h"

#include <stdlib.h>
#include <string.h>

#include "incipit/incipit.h"

#define EXPECT(condition)                                               \
  do {                                                                  \
    if (!(condition)) return "c_calls.c: " #condition " does not hold"; \
  } while (0)

enum { kCount = 6, kKeyBytes = 24 };

typedef struct {
  incipit_client* client;
  incipit_group group;
  uint8_t keys[kCount * kKeyBytes];
  incipit_block computed[kCount];
  incipit_block loaded[kCount];
  uint8_t status[kCount];
} Worker;

static int StartWith(Worker* worker, const char* address, int progress, uint8_t salt, const char* layout,
                     const char* codec, const uint8_t* sealing_key) {
  memset(worker, 0, sizeof(*worker));
  incipit_options options = {.struct_bytes = sizeof(options),
                             .address = address,
                             .model = "c-model",
                             .layout_name = layout,
                             .progress = progress,
                             .sealing_key = sealing_key,
                             .sealing_key_bytes = sealing_key != NULL ? 32 : 0,
                             .codec = codec,
                             .codec_threads = 1};
  const int result = incipit_connect(&options, &worker->client);
  if (result != INCIPIT_OK) return result;
  worker->group.struct_bytes = sizeof(worker->group);
  incipit_get_group(worker->client, 0, &worker->group);
  for (int i = 0; i < kCount * kKeyBytes; ++i) worker->keys[i] = (uint8_t)(i * 31 + salt);
  for (int i = 0; i < kCount; ++i) {
    incipit_block block = {.depth_tokens = (uint32_t)i * worker->group.block_tokens,
                           .key = worker->keys + i * kKeyBytes,
                           .key_bytes = kKeyBytes,
                           .data_bytes = worker->group.block_bytes};
    worker->computed[i] = worker->loaded[i] = block;
    worker->computed[i].data = malloc(block.data_bytes);
    worker->loaded[i].data = calloc(1, block.data_bytes);
    memset(worker->computed[i].data, i + salt, block.data_bytes);
  }
  return INCIPIT_OK;
}

static int Start(Worker* worker, const char* address, int progress, uint8_t salt) {
  return StartWith(worker, address, progress, salt, "deepseek-v4.1-flash", NULL, NULL);
}

static void End(Worker* worker) {
  incipit_close(worker->client);
  for (int i = 0; i < kCount; ++i) {
    free(worker->computed[i].data);
    free(worker->loaded[i].data);
  }
}

static int Same(const Worker* worker) {
  for (int i = 0; i < kCount; ++i) {
    if (memcmp(worker->computed[i].data, worker->loaded[i].data, worker->group.block_bytes) != 0) return 0;
  }
  return 1;
}

static int StoreAll(Worker* worker, uint64_t* stored) {
  incipit_store_request store = {.struct_bytes = sizeof(store), .blocks = worker->computed, .count = kCount};
  return incipit_store_blocks(worker->client, &store, worker->status, stored);
}

const char* CallStoreMatchLoad(const char* address, int progress) {
  Worker worker;
  EXPECT(Start(&worker, address, progress, 1) == INCIPIT_OK);
  uint64_t stored = 0, hits = 0;
  EXPECT(StoreAll(&worker, &stored) == INCIPIT_OK);
  EXPECT(stored == kCount && worker.status[kCount - 1] == INCIPIT_BLOCK_OK);
  incipit_key_list lists[3] = {{worker.keys, kCount, kKeyBytes}};
  incipit_match_request request = {
      .struct_bytes = sizeof(request), .groups = lists, .group_count = 1, .lease_ms = 1000};
  incipit_match* match = NULL;
  EXPECT(incipit_match_keys(worker.client, &request, &match) == INCIPIT_OK);
  size_t count = 0;
  const uint8_t* presence = incipit_match_presence(match, 0, &count);
  EXPECT(presence != NULL && count == kCount && presence[0] == INCIPIT_RAM);
  EXPECT(incipit_match_presence(match, 99, &count) == NULL);
  incipit_match_info info = {.struct_bytes = sizeof(info)};
  EXPECT(incipit_match_get(match, &info) == INCIPIT_OK);
  EXPECT(info.complete == 1 && info.worth_loading == 1 && info.lease_ms == 1000);
  incipit_match_free(match);
  incipit_load_request load = {.struct_bytes = sizeof(load), .blocks = worker.loaded, .count = kCount};
  EXPECT(incipit_load_blocks(worker.client, &load, worker.status, &hits) == INCIPIT_OK);
  EXPECT(hits == kCount && Same(&worker));
  const uint64_t stamp_ns = incipit_new_stamp(worker.client);
  EXPECT(incipit_new_stamp(worker.client) > stamp_ns);
  End(&worker);
  return NULL;
}

const char* CallAsyncLoad(const char* address, int progress) {
  Worker worker;
  EXPECT(Start(&worker, address, progress, 2) == INCIPIT_OK);
  uint64_t stored = 0, hits = 0;
  EXPECT(StoreAll(&worker, &stored) == INCIPIT_OK);
  incipit_load_request request = {.struct_bytes = sizeof(request), .blocks = worker.loaded, .count = kCount};
  incipit_load* load = NULL;
  EXPECT(incipit_load_start(worker.client, &request, worker.status, &load) == INCIPIT_OK);
  int result = INCIPIT_PENDING;
  while (result == INCIPIT_PENDING) result = incipit_load_poll(load, &hits);
  EXPECT(result == INCIPIT_OK && hits == kCount && Same(&worker));
  incipit_load_free(load);
  EXPECT(incipit_load_start(worker.client, &request, worker.status, &load) == INCIPIT_OK);
  hits = 0;
  EXPECT(incipit_load_wait(load, &hits) == INCIPIT_OK && hits == kCount);
  incipit_load_free(load);
  EXPECT(incipit_load_start(worker.client, &request, worker.status, &load) == INCIPIT_OK);
  incipit_load_free(load); /* waits */
  End(&worker);
  return NULL;
}

static void CountValues(void* context, uint16_t shard, const char* name, uint64_t value) {
  (void)shard;
  (void)value;
  if (strlen(name) > 0) ++*(int*)context;
}

const char* CallTouchOfferRemoveStats(const char* address, int progress) {
  Worker worker;
  EXPECT(Start(&worker, address, progress, 3) == INCIPIT_OK);
  incipit_keys_request keys = {.struct_bytes = sizeof(keys), .blocks = worker.loaded, .count = kCount};
  EXPECT(incipit_offer(worker.client, &keys, worker.status) == INCIPIT_OK);
  EXPECT(worker.status[0] == INCIPIT_BLOCK_WANTED);
  EXPECT(StoreAll(&worker, NULL) == INCIPIT_OK);
  EXPECT(incipit_offer(worker.client, &keys, worker.status) == INCIPIT_OK);
  EXPECT(worker.status[0] == INCIPIT_BLOCK_PRESENT);
  EXPECT(incipit_touch(worker.client, &keys, worker.status) == INCIPIT_OK);
  EXPECT(worker.status[0] == INCIPIT_BLOCK_OK);
  EXPECT(incipit_remove(worker.client, &keys, worker.status) == INCIPIT_OK);
  EXPECT(worker.status[kCount - 1] == INCIPIT_BLOCK_OK);
  EXPECT(incipit_remove(worker.client, &keys, worker.status) == INCIPIT_OK);
  EXPECT(worker.status[0] == INCIPIT_BLOCK_MISS);
  int values = 0;
  EXPECT(incipit_stats(worker.client, CountValues, &values) == INCIPIT_OK && values > 0);
  End(&worker);
  return NULL;
}

static const char* StoreAndLoadCoded(const char* address, int progress, uint8_t salt, const uint8_t* sealing_key) {
  Worker worker;
  const char* const layout = "deepseek-v3-bf16";
  EXPECT(StartWith(&worker, address, progress, salt, layout, "bf16-lossless-fast", sealing_key) == INCIPIT_OK);
  uint64_t stored = 0, hits = 0;
  EXPECT(StoreAll(&worker, &stored) == INCIPIT_OK && stored == kCount);
  incipit_load_request load = {.struct_bytes = sizeof(load), .blocks = worker.loaded, .count = kCount};
  EXPECT(incipit_load_blocks(worker.client, &load, worker.status, &hits) == INCIPIT_OK);
  EXPECT(hits == kCount && Same(&worker));
  End(&worker);
  return NULL;
}

const char* CallWithCodec(const char* address, int progress) {
  uint8_t sealing_key[32];
  for (int i = 0; i < 32; ++i) sealing_key[i] = (uint8_t)i;
  const char* wrong = StoreAndLoadCoded(address, progress, 7, NULL);
  if (wrong == NULL) wrong = StoreAndLoadCoded(address, progress, 8, sealing_key);
  if (wrong != NULL) return wrong;
  Worker worker;
  EXPECT(StartWith(&worker, address, progress, 7, "deepseek-v3-bf16", "zstd", NULL) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(strstr(incipit_last_error(), "bf16-lossless-fast") != NULL);
  return NULL;
}

const char* CallWithMistakes(const char* address) {
  Worker worker;
  EXPECT(incipit_abi_version() == INCIPIT_ABI_VERSION);
  incipit_client* none = NULL;
  incipit_options options = {.struct_bytes = sizeof(options), .address = address};
  EXPECT(incipit_connect(&options, &none) == INCIPIT_INVALID_ARGUMENT && none == NULL);
  EXPECT(strstr(incipit_last_error(), "model") != NULL);
  options.model = "m";
  EXPECT(incipit_connect(&options, &none) == INCIPIT_INVALID_ARGUMENT); /* no layout */
  options.layout_name = "no-such-layout";
  EXPECT(incipit_connect(&options, &none) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(strstr(incipit_last_error(), "no-such-layout") != NULL);
  options.struct_bytes = sizeof(options) + 8;
  EXPECT(incipit_connect(&options, &none) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(Start(&worker, address, INCIPIT_PROGRESS_THREAD, 4) == INCIPIT_OK);
  incipit_load_request load = {.struct_bytes = sizeof(load), .blocks = worker.loaded, .count = kCount};
  worker.loaded[3].data_bytes -= 1;
  EXPECT(incipit_load_blocks(worker.client, &load, worker.status, NULL) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(strstr(incipit_last_error(), "item 3") != NULL);
  EXPECT(incipit_get_group(worker.client, 99, &worker.group) == INCIPIT_INVALID_ARGUMENT);
  /* An older caller, whose struct ended before the fields that came later. */
  worker.loaded[3].data_bytes += 1;
  load.struct_bytes = offsetof(incipit_load_request, first_segment);
  EXPECT(incipit_load_blocks(worker.client, &load, worker.status, NULL) == INCIPIT_OK);
  EXPECT(worker.status[0] == INCIPIT_BLOCK_MISS);
  End(&worker);
  return NULL;
}

const char* CallWithoutNode(void) {
  Worker worker;
  EXPECT(Start(&worker, "tcp://127.0.0.1:1", INCIPIT_PROGRESS_THREAD, 5) == INCIPIT_UNAVAILABLE);
  EXPECT(strstr(incipit_last_error(), "127.0.0.1:1") != NULL);
  return NULL;
}

const char* CallSharedRegion(void) {
  incipit_region* region = NULL;
  EXPECT(incipit_region_create(0, &region) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(strstr(incipit_last_error(), "0 bytes") != NULL);
  EXPECT(incipit_region_create(5000, NULL) == INCIPIT_INVALID_ARGUMENT);
  EXPECT(incipit_region_create(5000, &region) == INCIPIT_OK);
  EXPECT(incipit_region_bytes(region) == 8192);
  memset(incipit_region_data(region), 7, 8192);
  incipit_region_destroy(region);
  incipit_region_destroy(NULL);
  return NULL;
}
