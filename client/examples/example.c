/* Stores the two blocks of a short prompt, then finds and loads them as another worker would.
 * Usage: incipit_example_c tcp://host:port */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "incipit/incipit.h"

enum { kBlocks = 2, kKeyBytes = 32 };

static int Fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, incipit_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return fprintf(stderr, "usage: %s tcp://host:port\n", argv[0]), 2;
  incipit_options options = {
      .struct_bytes = sizeof(options), .address = argv[1], .model = "example-model", .layout_name = "deepseek-v3-bf16"};
  incipit_client* client = NULL;
  if (incipit_connect(&options, &client) != INCIPIT_OK) return Fail("connect");
  incipit_group group = {.struct_bytes = sizeof(group)};
  if (incipit_get_group(client, 0, &group) != INCIPIT_OK) return Fail("group");

  /* An engine has keys of its own, hashes of all tokens up to a block's end; any bytes do here. */
  uint8_t keys[kBlocks * kKeyBytes];
  for (int i = 0; i < kBlocks * kKeyBytes; ++i) keys[i] = (uint8_t)(i * 37 + 11);
  incipit_block computed[kBlocks], loaded[kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    incipit_block block = {.depth_tokens = (uint32_t)i * group.block_tokens,
                           .key = keys + i * kKeyBytes,
                           .key_bytes = kKeyBytes,
                           .data_bytes = group.block_bytes};
    computed[i] = loaded[i] = block;
    computed[i].data = malloc(group.block_bytes);
    loaded[i].data = calloc(1, group.block_bytes);
    if (computed[i].data == NULL || loaded[i].data == NULL) return 1;
    memset(computed[i].data, i + 1, group.block_bytes);
  }
  uint8_t status[kBlocks];
  const uint64_t stamp_ns = incipit_new_stamp(client);
  incipit_store_request store = {sizeof(store), computed, kBlocks, stamp_ns, 0, 0};
  if (incipit_store_blocks(client, &store, status, NULL) != INCIPIT_OK) return Fail("store");

  incipit_key_list list = {keys, kBlocks, kKeyBytes};
  incipit_match_request request = {sizeof(request), &list, 1, stamp_ns, 5000, 0};
  incipit_match_info info = {.struct_bytes = sizeof(info)};
  incipit_match* match = NULL;
  if (incipit_match_keys(client, &request, &match) != INCIPIT_OK) return Fail("match");
  if (incipit_match_get(match, &info) != INCIPIT_OK) return Fail("match");
  printf("%llu of %u tokens can be restored\n", (unsigned long long)info.longest_tokens, kBlocks * group.block_tokens);

  incipit_load_request load = {.struct_bytes = sizeof(load), .blocks = loaded, .count = kBlocks, .stamp_ns = stamp_ns};
  uint64_t hits = 0;
  if (incipit_load_blocks(client, &load, status, &hits) != INCIPIT_OK) return Fail("load");
  int same = hits == kBlocks;
  for (int i = 0; i < kBlocks; ++i) {
    same = same && memcmp(computed[i].data, loaded[i].data, group.block_bytes) == 0;
    free(computed[i].data);
    free(loaded[i].data);
  }
  printf("%llu blocks loaded, %s\n", (unsigned long long)hits, same ? "all bytes right" : "WRONG");
  incipit_match_free(match);
  incipit_close(client);
  return same ? 0 : 1;
}
