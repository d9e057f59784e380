// Propagation of absl::Status without nesting. Inside coroutines use the CO_ forms.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define INCIPIT_CONCAT_INNER_(a, b) a##b
#define INCIPIT_CONCAT_(a, b) INCIPIT_CONCAT_INNER_(a, b)

#define RETURN_IF_ERROR(expression)                    \
  do {                                                 \
    ::absl::Status incipit_status_ = (expression);     \
    if (!incipit_status_.ok()) return incipit_status_; \
  } while (false)

#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_(INCIPIT_CONCAT_(incipit_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_(holder, target, expression)  \
  auto holder = (expression);                          \
  if (!holder.ok()) return std::move(holder).status(); \
  target = *std::move(holder)

#define CO_RETURN_IF_ERROR(expression)                    \
  do {                                                    \
    ::absl::Status incipit_status_ = (expression);        \
    if (!incipit_status_.ok()) co_return incipit_status_; \
  } while (false)

#define CO_ASSIGN_OR_RETURN(target, expression) \
  CO_ASSIGN_OR_RETURN_(INCIPIT_CONCAT_(incipit_or_, __LINE__), target, expression)
#define CO_ASSIGN_OR_RETURN_(holder, target, expression)  \
  auto holder = (expression);                             \
  if (!holder.ok()) co_return std::move(holder).status(); \
  target = *std::move(holder)
