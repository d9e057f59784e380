// What handlers of requests that name keys have in common: decoding with every check, and looking all keys up.
#pragma once

#include <algorithm>
#include <array>

#include "cache/base/status_macros.h"
#include "cache/shard/session.h"

namespace incipit {

// Lookups run in rounds of this many: hashes first, so that the memory they lead to is on its way before it is read.
inline constexpr size_t kLookupRound = 32;

// A decoded request, its namespace resolved and its keys checked.
template <typename Message>
struct Checked {
  Message message;
  NamespaceId name_space = 0;
};

template <typename Message>
absl::StatusOr<Checked<Message>> DecodeChecked(const Session& session, RoleSet roles, ByteView meta) {
  Checked<Message> checked;
  ASSIGN_OR_RETURN(checked.message, Message::Decode(meta));
  ASSIGN_OR_RETURN(checked.name_space, session.NamespaceOf(checked.message.namespace_id, roles));
  RETURN_IF_ERROR(session.CheckKeys(checked.name_space, checked.message.keys));
  return checked;
}

// Calls visit(index, block or kNoBlock, hash) for each key in order.
template <typename Visit>
void FindAll(BlockStore* store, NamespaceId name_space, const wire::KeyBatch& keys, Visit visit) {
  std::array<Hash128, kLookupRound> hashes;
  for (size_t start = 0; start < keys.size(); start += kLookupRound) {
    const size_t count = std::min(kLookupRound, keys.size() - start);
    for (size_t i = 0; i < count; ++i) {
      hashes[i] = store->HashOf(name_space, keys[start + i]);
      store->Prefetch(hashes[i]);
    }
    for (size_t i = 0; i < count; ++i) visit(start + i, store->Find(hashes[i], name_space, keys[start + i]), hashes[i]);
  }
}

}  // namespace incipit
