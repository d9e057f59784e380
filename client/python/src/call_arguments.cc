#include "client/python/src/call_arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/python/src/packed_keys.h"
#include "client/python/src/region.h"

namespace incipit::python {
namespace {

// A tuple of its own, so that what runs while it is read cannot change it.
nb::object Snapshot(nb::handle sequence, const Where& where, const char* expected) {
  PyObject* tuple =
      PyUnicode_Check(sequence.ptr()) || PyBytes_Check(sequence.ptr()) ? nullptr : PySequence_Tuple(sequence.ptr());
  if (tuple != nullptr) return nb::steal(tuple);
  PyErr_Clear();
  where.Fail(ErrorKind::kInvalidArgument, fmt::format("expected {}, found {}", expected, TypeName(sequence)));
}

size_t SizeOf(const nb::object& tuple) { return static_cast<size_t>(PyTuple_GET_SIZE(tuple.ptr())); }
nb::handle At(const nb::handle& tuple, size_t i) { return PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i)); }

ByteView BytesOfKey(nb::handle key, const Where& where) {
  if (!PyBytes_Check(key.ptr())) {
    where.Fail(ErrorKind::kInvalidArgument, fmt::format("key: expected bytes, found {}", TypeName(key)));
  }
  const auto size = static_cast<size_t>(PyBytes_GET_SIZE(key.ptr()));
  CheckKeyBytes(size, where);
  return {reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(key.ptr())), size};
}

// Keys of one length are packed: 16 bytes a key rather than 65.
KeyList CopyKeys(const nb::object& tuple, CallMemory* memory) {
  const size_t count = SizeOf(tuple);
  if (count == 0) return {};
  const size_t key_bytes = BytesOfKey(At(tuple, 0), {"match", "key", 0}).size();
  std::vector<uint8_t>& packed = memory->packed_keys.emplace_back();
  packed.reserve(count * key_bytes);
  for (size_t i = 0; i < count; ++i) {
    const ByteView key = BytesOfKey(At(tuple, i), {"match", "key", i});
    if (key.size() != key_bytes) {
      std::vector<BlockKey>& keys = memory->keys.emplace_back();
      keys.reserve(count);
      for (size_t k = 0; k < count; ++k) keys.emplace_back(BytesOfKey(At(tuple, k), {"match", "key", k}));
      return KeyList(keys);
    }
    packed.insert(packed.end(), key.begin(), key.end());
  }
  return KeyList(packed.data(), count, key_bytes);
}

KeyList ToKeyList(nb::handle keys, size_t group, CallMemory* memory) {
  const Where where{"match", "group", group};
  if (Py_TYPE(keys.ptr()) == reinterpret_cast<PyTypeObject*>(nb::type<PackedKeys>().ptr())) {
    memory->objects.push_back(nb::borrow(keys));
    return nb::inst_ptr<PackedKeys>(keys)->list();
  }
  const bool sequence = PyList_Check(keys.ptr()) || PyTuple_Check(keys.ptr());
  if (sequence || !(PyObject_CheckBuffer(keys.ptr()) || nb::hasattr(keys, "__dlpack__"))) {
    return CopyKeys(Snapshot(keys, where, "PackedKeys, a 2-D array of uint8 or a sequence of bytes"), memory);
  }
  const PyBuffer& buffer = memory->buffers.emplace_back(keys, Access::kRead, where);
  if (buffer.shape().size() != 2 || !buffer.type().IsUint8()) {
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("keys: expected uint8 of shape (count, key_bytes), found {} with {} dimensions",
                           buffer.type().Name(), buffer.shape().size()));
  }
  if (buffer.shape()[0] == 0) return {};
  CheckKeyBytes(buffer.shape()[1], where);
  return KeyList(buffer.data(), buffer.shape()[0], buffer.shape()[1]);
}

// The first three fields of a block. REQUIRES: `tuple` has them.
BlockName ToName(nb::handle tuple, const Layout& layout, const Where& where) {
  const uint64_t group = ToUnsigned(At(tuple, 0), UINT16_MAX, where, "group");
  if (group >= layout.groups.size()) {
    where.Fail(ErrorKind::kInvalidArgument, fmt::format("group: expected 0 to {} (layout {}), found {}",
                                                        layout.groups.size() - 1, layout.name, group));
  }
  return {static_cast<GroupIndex>(group),
          static_cast<uint32_t>(ToUnsigned(At(tuple, 1), UINT32_MAX, where, "depth_tokens")),
          BytesOfKey(At(tuple, 2), where)};
}

class ItemReader {
 public:
  ItemReader(const BlockRules& rules, CallMemory* memory)
      : rules_(rules), memory_(memory), region_type_(reinterpret_cast<PyTypeObject*>(nb::type<Region>().ptr())) {}

  LoadItem Read(nb::handle block, size_t index) {
    const Where where{rules_.call, "block", index};
    if (!PyTuple_Check(block.ptr()) || PyTuple_GET_SIZE(block.ptr()) != 4) {
      where.Fail(ErrorKind::kInvalidArgument,
                 fmt::format("expected a tuple (group, depth_tokens, key, buffer), found {}", TypeName(block)));
    }
    const BlockName name = ToName(block, *rules_.layout, where);
    memory_->objects.push_back(nb::borrow(At(block, 2)));
    LoadItem item{.group = name.group, .depth_tokens = name.depth_tokens, .key = name.key};
    const nb::handle buffer = At(block, 3);
    if (PyList_Check(buffer.ptr()) || PyTuple_Check(buffer.ptr())) {
      item.pieces = ReadPieces(buffer, where);
    } else if (Py_TYPE(buffer.ptr()) == region_type_) {
      item.buffer = PieceOf(buffer, 0, nb::inst_ptr<Region>(buffer)->buffer().bytes(), where);
    } else {
      const PyBuffer& whole = memory_->buffers.emplace_back(buffer, rules_.access, where);
      CheckElementType(whole, rules_.element_type, where);
      item.buffer = {whole.data(), whole.bytes()};
    }
    CheckSize(item, where);
    return item;
  }

 private:
  std::span<const iovec> ReadPieces(nb::handle sequence, const Where& where) {
    const nb::object list = Snapshot(sequence, where, "pieces");
    std::vector<iovec>& pieces = memory_->pieces.emplace_back();
    pieces.reserve(SizeOf(list));
    for (size_t i = 0; i < SizeOf(list); ++i) {
      const nb::handle piece = At(list, i);
      if (!PyTuple_Check(piece.ptr()) || PyTuple_GET_SIZE(piece.ptr()) != 3 ||
          Py_TYPE(At(piece, 0).ptr()) != region_type_) {
        where.Fail(ErrorKind::kInvalidArgument,
                   fmt::format("piece {}: expected a tuple (Region, offset_bytes, length_bytes), found {}", i,
                               TypeName(piece)));
      }
      pieces.push_back(PieceOf(At(piece, 0), ToUnsigned(At(piece, 1), UINT64_MAX, where, "offset_bytes"),
                               ToUnsigned(At(piece, 2), UINT64_MAX, where, "length_bytes"), where));
    }
    if (pieces.empty()) where.Fail(ErrorKind::kBufferMismatch, "buffer: expected at least one piece, found none");
    return pieces;
  }

  iovec PieceOf(nb::handle region, uint64_t offset, uint64_t length, const Where& where) {
    const PyBuffer& buffer = nb::inst_ptr<Region>(region)->buffer();
    if (offset > buffer.bytes() || length > buffer.bytes() - offset) {
      where.Fail(ErrorKind::kBufferMismatch, fmt::format("piece: bytes {} to {} + {}, the region has {} bytes", offset,
                                                         offset, length, buffer.bytes()));
    }
    if (rules_.access == Access::kWrite && !buffer.writable()) {
      where.Fail(ErrorKind::kBufferMismatch, "piece: expected a writable region, found a read-only one");
    }
    CheckElementType(buffer, rules_.element_type, where);
    memory_->objects.push_back(nb::borrow(region));
    return {buffer.data() + offset, length};
  }

  void CheckSize(const LoadItem& item, const Where& where) const {
    const GroupSpec& group = rules_.layout->groups[item.group];
    if (rules_.first_segment >= group.SegmentCount()) {
      where.Fail(ErrorKind::kInvalidArgument, fmt::format("first_segment: expected 0 to {} (group {}), found {}",
                                                          group.SegmentCount() - 1, group.name, rules_.first_segment));
    }
    const uint64_t segments =
        std::min<uint64_t>(rules_.segment_count, group.SegmentCount() - uint64_t{rules_.first_segment});
    const uint64_t expected = segments * group.SegmentBytes();
    uint64_t found = item.pieces.empty() ? item.buffer.iov_len : 0;
    for (const iovec& piece : item.pieces) found += piece.iov_len;
    if (found == expected) return;
    where.Fail(ErrorKind::kBufferMismatch, fmt::format("buffer: expected {} bytes ({} segments of group {}), found {}",
                                                       expected, segments, group.name, found));
  }

  const BlockRules& rules_;
  CallMemory* memory_;
  PyTypeObject* region_type_;
};

}  // namespace

std::vector<KeyList> ToKeyLists(nb::handle groups, const Layout& layout, CallMemory* memory) {
  const Where where{"match"};
  const nb::object list = Snapshot(groups, where, "a sequence of key lists, one for each group");
  if (SizeOf(list) > layout.groups.size()) {
    where.Fail(ErrorKind::kInvalidArgument, fmt::format("groups: expected at most {} key lists (layout {}), found {}",
                                                        layout.groups.size(), layout.name, SizeOf(list)));
  }
  std::vector<KeyList> lists;
  for (size_t i = 0; i < SizeOf(list); ++i) lists.push_back(ToKeyList(At(list, i), i, memory));
  return lists;
}

std::vector<BlockName> ToNames(nb::handle names, const char* call, const Layout& layout, CallMemory* memory) {
  const nb::object list = Snapshot(names, {call}, "a sequence of (group, depth_tokens, key)");
  std::vector<BlockName> result;
  result.reserve(SizeOf(list));
  for (size_t i = 0; i < SizeOf(list); ++i) {
    const Where where{call, "block", i};
    const nb::handle name = At(list, i);
    if (!PyTuple_Check(name.ptr()) || PyTuple_GET_SIZE(name.ptr()) < 3 || PyTuple_GET_SIZE(name.ptr()) > 4) {
      where.Fail(ErrorKind::kInvalidArgument,
                 fmt::format("expected a tuple (group, depth_tokens, key), found {}", TypeName(name)));
    }
    result.push_back(ToName(name, layout, where));
    memory->objects.push_back(nb::borrow(At(name, 2)));
  }
  return result;
}

std::vector<LoadItem> ToItems(nb::handle blocks, const BlockRules& rules, CallMemory* memory) {
  if (rules.segment_count == 0) {
    Raise(ErrorKind::kInvalidArgument, fmt::format("{}: segment_count: expected at least 1, found 0", rules.call));
  }
  const nb::object list = Snapshot(blocks, {rules.call}, "a sequence of blocks");
  ItemReader reader(rules, memory);
  std::vector<LoadItem> items;
  items.reserve(SizeOf(list));
  for (size_t i = 0; i < SizeOf(list); ++i) items.push_back(reader.Read(At(list, i), i));
  return items;
}

}  // namespace incipit::python
