// SPDX-License-Identifier: Apache-2.0
#include "sim/result.h"

#include <algorithm>

namespace npusim::sim {

const char* name_of(Status status) {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::unsupported:
      return "unsupported";
    case Status::failed:
      return "failed";
    case Status::interrupted:
      return "interrupted";
  }
  return "failed";
}

std::optional<double> step_seconds(const RunResult& run) {
  if (run.cluster) return run.cluster->step_seconds;
  return run.timing ? std::optional<double>(run.timing->seconds) : std::nullopt;
}

std::optional<double> worst_output_error(const RunResult& run) {
  std::optional<double> worst;
  if (!run.numerics) return worst;
  if (run.numerics->sampled)
    for (const SampledOpError& op : run.numerics->sampled->by_op)
      if (op.local.rel_fro) worst = std::max(worst.value_or(0.0), *op.local.rel_fro);
  for (const OutputError& output : run.numerics->outputs)
    if (output.error.rel_fro) worst = std::max(worst.value_or(0.0), *output.error.rel_fro);
  return worst;
}

}  // namespace npusim::sim
