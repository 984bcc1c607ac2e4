// SPDX-License-Identifier: Apache-2.0
#include "sim/memory.h"

#include "base/progress.h"
#include "npu_models/npu_file.h"
#include "sim/dynamic_shapes.h"
#include "sim/run_parts.h"
#include "workloads/workload.h"

namespace npusim::sim {
namespace {

/// One run with a parameter of its workload changed.
class Variant {
 public:
  Variant(const RunRequest& request, const RunOptions& options)
      : request_(request),
        workload_overrides_(overrides_of(options.overrides, "workload")),
        npu_(npu::load_npu(request.npu_file, overrides_of(options.overrides, "npu"))),
        recipe_(workloads::load_recipe(recipe_file_of(request, npu_),
                                       overrides_of(options.overrides, "recipe"))) {}

  npu::MappedGraph map(const std::string& parameter = {}, std::int64_t value = 0) const {
    std::vector<base::Override> overrides = workload_overrides_;
    if (!parameter.empty()) overrides.push_back(parameter_override(parameter, value));
    const workloads::Workload workload =
        workloads::load_workload(request_.workload_file, overrides);
    return npu::map_graph(npu_, graph_of(npu_, workload, recipe_, request_.mode), recipe_);
  }

  std::int64_t capacity() const { return npu_.dram.capacity_bytes; }

 private:
  const RunRequest& request_;
  std::vector<base::Override> workload_overrides_;
  npu::NpuSpec npu_;
  workloads::Recipe recipe_;
};

/// Finds where a parameter stops to fit: doubled until that is known, then bisected.
class Search {
 public:
  Search(const Variant& variant, std::string parameter, std::int64_t start)
      : variant_(variant), start_(start) {
    limit_.parameter = std::move(parameter);
  }

  ParameterLimit run() {
    std::int64_t most = 0, too_many = start_;
    while (fits(too_many)) {
      most = too_many;
      too_many *= 2;
      if (too_many > kLargestParameter) {
        limit_.at_least = true;
        limit_.limited_by = "not found up to " + std::to_string(most);
        return limit_;
      }
    }
    const std::int64_t step = smallest_step();
    while (too_many - most > step) {
      const std::int64_t middle = most + (too_many - most) / step / 2 * step;
      (fits(middle) ? most : too_many) = middle;
    }
    return limit_;
  }

 private:
  /// Shapes may ask for multiples of something: the smallest divisor of the workload's own value by
  /// which it can become less.
  std::int64_t smallest_step() const {
    for (std::int64_t step = 1; step < start_; ++step)
      if (start_ % step == 0 && is_valid(start_ - step)) return step;
    return start_;
  }

  bool is_valid(std::int64_t value) const {
    try {
      variant_.map(limit_.parameter, value);
    } catch (const base::InputError&) {
      return false;
    } catch (const npu::UnsupportedError&) {
    }
    return true;
  }

  bool fits(std::int64_t value) {
    try {
      const npu::MappedGraph mapped = variant_.map(limit_.parameter, value);
      if (mapped.memory.peak_bytes <= variant_.capacity()) {
        limit_.largest = value;
        limit_.peak_bytes = mapped.memory.peak_bytes;
        return true;
      }
      limit_.limited_by = "memory at " + mapped.memory.peak_op;
    } catch (const npu::UnsupportedError& error) {
      limit_.limited_by = error.what();
    } catch (const base::InputError& error) {
      const base::Diagnostic& first = error.diagnostics().front();
      if (first.code == "illegal-mapping") throw;  // a pin is wrong, not the size
      limit_.limited_by = first.message;
    }
    return false;
  }

  const Variant& variant_;
  const std::int64_t start_;
  ParameterLimit limit_;
};

}  // namespace

Result memory_all(const std::vector<RunRequest>& requests, const RunOptions& options,
                  const MemoryOptions& memory) {
  Result result = coverage_all(requests, options);
  check_parameters(result.runs, memory.largest, "--largest");
  base::Progress progress("searching limits",
                          static_cast<double>(requests.size() * memory.largest.size()),
                          options.quiet);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    RunResult& run = result.runs[i];
    if (!run.memory) continue;
    const Variant variant(requests[i], options);
    if (memory.over_time) run.memory->over_time = npu::memory_over_time(variant.map());
    for (const std::string& name : memory.largest) {
      if (options.interrupted && options.interrupted()) run.status = Status::interrupted;
      if (run.status == Status::interrupted) break;
      if (const auto start = parameter_of(*run.config.find("workload"), name))
        run.memory->limits.push_back(Search(variant, name, *start).run());
      progress.advance(1.0, run.npu + " " + run.workload + " " + name);
    }
  }
  return result;
}

}  // namespace npusim::sim
