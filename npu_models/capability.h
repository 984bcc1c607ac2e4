// SPDX-License-Identifier: Apache-2.0
// What an NPU can do: its operator table, and the verdict on one node in one recipe's formats.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "precision/rounding.h"
#include "workloads/graph.h"
#include "workloads/recipe.h"

namespace npusim::npu {

struct NpuSpec;

/// From best to worst; unknown (no source says) counts as a gap like unsupported.
enum class Support { native, decomposed, host, unknown, unsupported };
const char* name_of(Support support);
const std::vector<std::string>& support_names();

/// Largest shapes an op takes; absent: no limit is known.
struct ShapeLimits {
  std::optional<std::int64_t> max_rank, max_dimension;
  std::optional<std::int64_t> max_batch;   ///< first dimension of tensors of rank 2 and more
  std::optional<std::int64_t> max_kernel;  ///< either side of a window
};

struct OperatorEntry {
  Support support = Support::unsupported;
  /// Storage formats it works on natively; empty: any the recipe asks for.
  std::vector<std::string> formats;
  Support otherwise = Support::unsupported;  ///< for other formats: host, unknown or unsupported
  std::string reason;                        ///< shown with every verdict that is not native
  ShapeLimits limits{};                      ///< beyond them: `otherwise`
  std::string group{};                       ///< of the table; empty: an entry of its own
};

struct OperatorTable {
  Support fallback = Support::unsupported;  ///< for ops that are not listed
  /// What becomes of ops whose shapes change from run to run; absent: no source says.
  std::optional<Support> dynamic_shapes;
  std::map<std::string, OperatorEntry> entries;
};

/// What stands between an op and native support.
enum class Gap {
  none,
  missing_op,   ///< the operator table says so, or does not list it
  format,       ///< there, but not in this format
  accumulator,  ///< the recipe's accumulator is not offered
  internal,     ///< needs steps in a precision that the vector unit has not
  function,     ///< the vector unit lacks a function
  shape,        ///< rank, dimension, batch or window beyond the limits
  dynamic,      ///< a dimension that changes from run to run
  part,         ///< a part of its decomposition is not native
  unknown,      ///< no source says
};
const char* name_of(Gap gap);

/// A format that an NPU does not declare, and the declared one that it runs as (what_if.h).
struct StandIn {
  enum class Role { operands, accumulator, storage, steps_inside };
  Role role = Role::operands;
  std::string wanted, declared;

  bool operator==(const StandIn& other) const {
    return role == other.role && wanted == other.wanted && declared == other.declared;
  }
};
const char* name_of(StandIn::Role role);
/// "operands in bf16 as fp16".
std::string text_of(const StandIn& stand_in);
/// Adds those that are not there yet.
void add_new(const std::vector<StandIn>& from, std::vector<StandIn>& to);

struct Verdict {
  Support support = Support::unsupported;
  std::string reason;  ///< empty when native
  Gap gap = Gap::none;
  bool fused = false;  ///< native as one op of several products (attention_mapping.h)
  /// Not empty: hypothetical, in these formats.
  std::vector<StandIn> stand_ins{};
};

/// Unsupported or unknown.
bool cannot_run(const Verdict& verdict);

/// Checks, in this order: the operator table, the formats of the node's floating operands and
/// results (matrix ops: operand formats against the array's inputs, the recipe's accumulator
/// against the choices; statistics, as per-channel constants, in any format), the vector functions
/// it needs, the precision of the steps inside (the recipe's `internal`), shape
/// limits, whether a decomposition exists and all its ops are native. Of an NPU with hypothetical
/// inputs (what_if.h): as declared where that can run, else with stand-ins for the formats.
Verdict judge(const NpuSpec& npu, const workloads::Graph& graph, const workloads::Node& node,
              const std::vector<precision::Arithmetic>& storage, const workloads::Recipe& recipe);

/// The verdict on a node of which some dimension changes from run to run, from the verdict on its
/// present shape.
Verdict judge_dynamic(const NpuSpec& npu, const Verdict& present);

}  // namespace npusim::npu
