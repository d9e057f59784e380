#include "cache/base/status_macros.h"

#include <memory>

#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

absl::Status Fails() { return absl::DataLossError("lost"); }
absl::StatusOr<std::unique_ptr<int>> MakeInt(bool works) {
  if (!works) return absl::NotFoundError("none");
  return std::make_unique<int>(7);
}

absl::Status Propagate(bool fail, bool* went_on) {
  if (fail) RETURN_IF_ERROR(Fails());
  *went_on = true;
  return absl::OkStatus();
}

absl::StatusOr<int> Unwrap(bool works) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> value, MakeInt(works));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> again, MakeInt(works));
  return *value + *again;
}

Task<absl::StatusOr<int>> UnwrapInTask(bool works) {
  CO_RETURN_IF_ERROR(absl::OkStatus());
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, MakeInt(works));
  co_return *value;
}

TEST(StatusMacros, ErrorEndsTheFunctionAtOnce) {
  bool went_on = false;
  EXPECT_EQ(Propagate(true, &went_on).code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(went_on);
  EXPECT_TRUE(Propagate(false, &went_on).ok());
  EXPECT_TRUE(went_on);
}

TEST(StatusMacros, MoveOnlyValuesCanBeAssigned) {
  EXPECT_EQ(*Unwrap(true), 14);
  EXPECT_EQ(Unwrap(false).status().code(), absl::StatusCode::kNotFound);
}

TEST(StatusMacros, TasksHaveTheirOwnForms) {
  SimLoop loop;
  EXPECT_EQ(*loop.Run(UnwrapInTask(true)), 7);
  EXPECT_EQ(loop.Run(UnwrapInTask(false)).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace incipit
