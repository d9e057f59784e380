// What a tenant may do. docs/security.md has the table of verbs and roles.
#pragma once

#include <cstdint>

namespace incipit {

enum class Role : uint8_t {
  kRead = 1,   // find and load
  kWrite = 2,  // offer, store, remove
  kAdmin = 4,  // remove anybody's blocks, see the whole node's counters, drain it
  kPeer = 8,   // be another node of the cluster: read and store anybody's blocks
};

// A set of roles. Plain value.
class RoleSet {
 public:
  constexpr RoleSet() = default;
  constexpr RoleSet(Role role) : bits_(static_cast<uint8_t>(role)) {}  // NOLINT: implicit
  static constexpr RoleSet All() { return RoleSet(Role::kRead) | Role::kWrite | Role::kAdmin; }

  constexpr bool HasAnyOf(RoleSet roles) const { return (bits_ & roles.bits_) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr RoleSet operator|(RoleSet a, RoleSet b) { return RoleSet(static_cast<uint8_t>(a.bits_ | b.bits_)); }
  friend constexpr RoleSet operator&(RoleSet a, RoleSet b) { return RoleSet(static_cast<uint8_t>(a.bits_ & b.bits_)); }
  friend constexpr bool operator==(RoleSet, RoleSet) = default;

 private:
  explicit constexpr RoleSet(uint8_t bits) : bits_(bits) {}
  uint8_t bits_ = 0;
};

constexpr RoleSet operator|(Role a, Role b) { return RoleSet(a) | RoleSet(b); }

}  // namespace incipit
