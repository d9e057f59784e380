// The defences that the simulation must be able to miss. Each stands in one place as `if (INCIPIT_DEFENDED(kName) &&
// ...)`, which in every product build is plain `true`. Only the program of the canaries (tests/canary) compiles the
// few sources with such a place once more with INCIPIT_CANARY, and then takes one defence away at a time.
#pragma once

namespace incipit {

enum class Defence {
  kNone,
  kChecksum,            // the client verifies each segment after it landed
  kEpoch,               // a map of a lower or equal epoch never takes the place of a higher one
  kIdentity,            // an index entry is a hit only if the whole identity is the same
  kLeasePin,            // what a lease names is pinned
  kTenant,              // roles are looked up for the session's own tenant
  kPublishAfterVerify,  // a block becomes visible only when its bytes have the checksums that its writer stated
  kExtentReuse,         // memory that somebody still reads is not given back
};

#ifdef INCIPIT_CANARY
bool IsDefended(Defence defence);  // tests/canary
#define INCIPIT_DEFENDED(name) (::incipit::IsDefended(::incipit::Defence::name))
#else
#define INCIPIT_DEFENDED(name) (true)
#endif

}  // namespace incipit
