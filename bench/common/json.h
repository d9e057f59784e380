// The one JSON type of bench/: fields stay in the order in which they were written.
#pragma once

#include <nlohmann/json.hpp>

namespace incipit::bench {

using Json = nlohmann::ordered_json;

}  // namespace incipit::bench
