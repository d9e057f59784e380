/* The C interface of the client library. What each call means: incipit/client.h.
 *
 * Conventions: every struct that the caller fills starts with struct_bytes, which must be sizeof(that struct); fields
 * added by later versions count as 0 for older callers. Functions return INCIPIT_OK or a negative code, and then
 * incipit_last_error() of the same thread says what was wrong. Misses are not errors. Memory named in a request must
 * stay as it is until the blocking call returns, or until the asynchronous one is done.
 *
 * Threads: as in C++. A client made with INCIPIT_PROGRESS_THREAD may be used by any thread at any time; one made with
 * INCIPIT_PROGRESS_CALLER, with its matches and loads, belongs to one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INCIPIT_ABI_VERSION 1u
/* The version this library was built with; the caller's INCIPIT_ABI_VERSION must not be higher. */
uint32_t incipit_abi_version(void);

enum {
  INCIPIT_OK = 0,
  INCIPIT_INVALID_ARGUMENT = -1, /* the caller's mistake */
  INCIPIT_UNAVAILABLE = -2,      /* no node answers; only from connect, store and stats */
  INCIPIT_REFUSED = -3,          /* versions do not meet, the kernel refuses io_uring, or credentials do not count */
  INCIPIT_INTERNAL = -4,
  INCIPIT_PENDING = 1 /* not an error: the asynchronous call is not done yet */
};

/* Status of one block: the numbers of the wire format. */
enum {
  INCIPIT_BLOCK_OK = 0, /* load: hit, verified. store: stored. touch, remove: done */
  INCIPIT_BLOCK_MISS = 1,
  INCIPIT_BLOCK_PRESENT = 2,
  INCIPIT_BLOCK_CONFLICT = 3,
  INCIPIT_BLOCK_WANTED = 4,
  INCIPIT_BLOCK_BUSY = 5,
  INCIPIT_BLOCK_DAMAGED = 6,
  INCIPIT_BLOCK_IO_ERROR = 7,
  INCIPIT_BLOCK_EXPIRED = 8,
  INCIPIT_BLOCK_REJECTED = 9
};
enum { INCIPIT_MISS = 0, INCIPIT_RAM = 1, INCIPIT_NVME = 2 };
enum { INCIPIT_PROGRESS_THREAD = 0, INCIPIT_PROGRESS_CALLER = 1 };
#define INCIPIT_ALL_SEGMENTS 0xffffu

typedef struct incipit_client incipit_client;
typedef struct incipit_match incipit_match;
typedef struct incipit_load incipit_load;

/* Of the last call on this thread that failed; "" if none did. Valid until the next call on this thread. */
const char* incipit_last_error(void);

typedef struct {
  size_t struct_bytes;
  /* "tcp://host:port", "unix:///path/of/socket" or "unix://@name"; of a cluster, by some of its nodes,
   * "cluster://host:port,host:port". */
  const char* address;
  const char* tenant; /* NULL: "default" */
  const char* model;
  const char* client_name; /* NULL: none */
  /* The layout: a shipped one by name ("deepseek-v3-bf16", ...), at block_tokens (0: its usual size); or, if
   * layout_name is NULL, a canonical encoding (docs/disk_format.md). */
  const char* layout_name;
  uint32_t block_tokens;
  const uint8_t* layout;
  size_t layout_bytes;
  int progress;                /* INCIPIT_PROGRESS_... */
  int connect_lazily;          /* not 0: succeed without a node, and miss until there is one */
  uint32_t connect_timeout_ms; /* 0: the C++ default, as for all below */
  uint32_t default_deadline_ms;
  uint64_t max_inflight_bytes;
  double prefill_tokens_per_s; /* 0: no guard */
  const char* secret_file;     /* of the tenant, where the node has tenants; NULL: none */
  const char* namespace_owner; /* tenant whose namespace is used, if it grants that; NULL: the client's own */
  /* Seals blocks: 32 secret bytes, or a file that holds them or their hexadecimal digits. Both NULL: not sealed. */
  const char* sealing_key_file;
  const uint8_t* sealing_key;
  size_t sealing_key_bytes;
  /* How blocks are stored (ClientOptions::codec in incipit/client.h): "bf16-lossless", "bf16-lossless-fast",
   * "fp8-lossless", or "fp8", which is LOSSY. NULL: as they are. With a sealing key coded first, then sealed. */
  const char* codec;
  uint32_t codec_threads; /* 0: half the processors, 1 to 4; of one or two the client's own thread codes too */
  uint32_t replicas;      /* in a cluster: how many nodes get each block that is stored; 0: one */
} incipit_options;

/* *client is set on success only. Close ends outstanding calls; matches and loads must be freed before it. */
int incipit_connect(const incipit_options* options, incipit_client** client);
void incipit_close(incipit_client* client);

/* Geometry of a group of the client's layout; INCIPIT_INVALID_ARGUMENT past the last one. */
typedef struct {
  size_t struct_bytes;
  uint32_t block_tokens;
  uint32_t segments;
  uint64_t segment_bytes;
  uint64_t block_bytes;
} incipit_group;
int incipit_get_group(incipit_client* client, uint16_t index, incipit_group* group);

uint64_t incipit_new_stamp(incipit_client* client);

/* Keys of consecutive blocks of one group, `count` of `key_bytes` each, one after the other. */
typedef struct {
  const uint8_t* keys;
  size_t count;
  size_t key_bytes;
} incipit_key_list;

typedef struct {
  size_t struct_bytes;
  const incipit_key_list* groups; /* in the layout's order */
  size_t group_count;
  uint64_t stamp_ns;    /* 0: a new one */
  uint32_t lease_ms;    /* 0: do not pin */
  uint32_t deadline_ms; /* 0: default_deadline_ms */
  uint32_t claim_ms;    /* over 0: claim what is missing for so long, unless another worker has */
} incipit_match_request;

/* Who computes the first missing block behind longest_tokens, and with it what follows. */
enum {
  INCIPIT_FLIGHT_NONE = 0,      /* nothing is missing, or nobody is known to */
  INCIPIT_FLIGHT_CLAIMED = 1,   /* the caller, who should; others may wait for it */
  INCIPIT_FLIGHT_COMPUTING = 2, /* another worker that is alive */
};

typedef struct {
  size_t struct_bytes;
  const uint64_t* restorable_tokens; /* ascending; owned by the match */
  size_t restorable_count;
  uint64_t longest_tokens;
  uint64_t ram_bytes;
  uint64_t nvme_bytes;
  uint32_t lease_ms;
  int complete;
  int worth_loading;
  uint64_t load_time_us;
  uint64_t recompute_time_us;
  int flight;            /* INCIPIT_FLIGHT_... */
  uint32_t claim_ms;     /* granted, with INCIPIT_FLIGHT_CLAIMED */
  uint32_t computing_ms; /* for how long, with INCIPIT_FLIGHT_COMPUTING */
} incipit_match_info;

/* The match holds its lease and its claim until incipit_match_free. */
int incipit_match_keys(incipit_client* client, const incipit_match_request* request, incipit_match** match);
/* Prolongs the claim by claim_ms from now; at once, without waiting for the answer. Does nothing without a claim. */
void incipit_match_renew(incipit_match* match);
/* Gives the claim up, so that a worker that waits can take it. The lease stays. */
void incipit_match_release_claim(incipit_match* match);

typedef struct {
  size_t struct_bytes;
  const incipit_key_list* groups;
  size_t group_count;
  uint64_t have_tokens;
  uint64_t step_tokens;
  uint32_t claim_ms;    /* 0: do not claim what nobody computes any more, but end */
  uint32_t deadline_ms; /* 0: default_deadline_ms */
} incipit_wait_request;
/* A match that waits until more than have_tokens can be restored, the claim is the caller's, nobody computes what is
 * missing, or the deadline has come. */
int incipit_wait(incipit_client* client, const incipit_wait_request* request, incipit_match** match);
int incipit_match_get(const incipit_match* match, incipit_match_info* info);
/* Presence of each block of a group, INCIPIT_MISS, _RAM or _NVME; NULL past the last group. Owned by the match. */
const uint8_t* incipit_match_presence(const incipit_match* match, uint16_t group, size_t* count);
void incipit_match_free(incipit_match* match);

/* One block with its memory: destination of a load, source of a store. */
typedef struct {
  uint16_t group;
  uint32_t depth_tokens; /* of its first token */
  const uint8_t* key;
  size_t key_bytes;
  void* data;
  uint64_t data_bytes;
} incipit_block;

typedef struct {
  size_t struct_bytes;
  const incipit_block* blocks;
  size_t count;
  uint16_t first_segment;
  uint16_t segment_count; /* INCIPIT_ALL_SEGMENTS or 0: from first_segment on */
  uint64_t stamp_ns;
  uint32_t deadline_ms;
  uint64_t recompute_tokens;
} incipit_load_request;

/* status: one INCIPIT_BLOCK_... per block, written when the load is done. hits may be NULL. */
int incipit_load_blocks(incipit_client* client, const incipit_load_request* request, uint8_t* status, uint64_t* hits);
/* Starts a load. The request itself may go at once; its blocks' memory, their keys and `status` must stay. */
int incipit_load_start(incipit_client* client, const incipit_load_request* request, uint8_t* status,
                       incipit_load** load);
/* INCIPIT_PENDING, or the result. Moves the client along with INCIPIT_PROGRESS_CALLER. */
int incipit_load_poll(incipit_load* load, uint64_t* hits);
int incipit_load_wait(incipit_load* load, uint64_t* hits);
/* Waits if need be: memory named in the request is never in use afterwards. */
void incipit_load_free(incipit_load* load);

typedef struct {
  size_t struct_bytes;
  const incipit_block* blocks;
  size_t count;
  uint64_t stamp_ns;
  uint32_t deadline_ms;
  int skip_offer; /* not 0: send all without asking what is there */
} incipit_store_request;
/* stored: how many have status INCIPIT_BLOCK_OK; may be NULL. */
int incipit_store_blocks(incipit_client* client, const incipit_store_request* request, uint8_t* status,
                         uint64_t* stored);

/* data and data_bytes of the blocks are not looked at. */
typedef struct {
  size_t struct_bytes;
  const incipit_block* blocks;
  size_t count;
  uint64_t stamp_ns;
  uint32_t deadline_ms;
  uint32_t ttl_ms;      /* touch only: hint, 0 = none */
  uint32_t next_use_ms; /* touch only: hint, 0 = none */
} incipit_keys_request;
int incipit_offer(incipit_client* client, const incipit_keys_request* request, uint8_t* status);
int incipit_touch(incipit_client* client, const incipit_keys_request* request, uint8_t* status);
int incipit_remove(incipit_client* client, const incipit_keys_request* request, uint8_t* status);

/* Memory that a node on this host reads and writes directly over unix:// (incipit/shared_region.h): blocks in it are
 * copied once. Nothing else changes; its memory may be named in any request. Destroy it after those calls have ended.
 */
typedef struct incipit_region incipit_region;
int incipit_region_create(uint64_t bytes, incipit_region** region); /* rounded up to whole pages, zeroed */
void* incipit_region_data(const incipit_region* region);
uint64_t incipit_region_bytes(const incipit_region* region);
void incipit_region_destroy(incipit_region* region); /* NULL is allowed */

/* Calls `visit` for each value of each shard that answered. */
int incipit_stats(incipit_client* client,
                  void (*visit)(void* context, uint16_t shard, const char* name, uint64_t value), void* context);

#ifdef __cplusplus
}
#endif
