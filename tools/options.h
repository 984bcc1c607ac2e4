// SPDX-License-Identifier: Apache-2.0
// What the command line asked for, as plain data. cli.cpp fills these; commands/ read them.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/scenario.h"
#include "sim/training/train_options.h"

namespace npusim::tools {

/// Options that contradict each other: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "-" is stdout, "" is not wanted.
struct OutputFiles {
  std::string json, csv, markdown, html;
};

struct CommonOptions {
  OutputFiles files;
  std::vector<std::string> overrides;
  std::int64_t seed = 0;
  int jobs = 0;
  bool quiet = false;
  bool verbose = false;
  bool print_config = false;
};

/// `run` and `compare`.
struct RunArguments {
  CommonOptions common;
  sim::Selection selection;
  bool numerics = true;
  bool timing = true;
  std::int64_t max_numeric_macs = 0;  ///< 0: the library's default
  std::string activations;            ///< JSON, or empty
  std::string fidelity = "tile";      ///< or pe
  std::string layers = "together";    ///< apart or repeated
  std::string vcd, vcd_cycles;        ///< FILE.vcd, BEGIN:END
  std::string trace, trace_cycles;
  bool explain_mapping = false;
  std::string weights;
  std::vector<std::string> inputs;  ///< NAME=F.npy
  std::string dump_outputs;
  std::string base;         ///< compare: an NPU of the selection, by name
  std::string pin_mapping;  ///< compare: likewise
  std::string cluster;      ///< file or name; empty: one device
  bool what_if = false;
  std::vector<std::string> pareto;  ///< compare: names of metrics
};

struct CoverageArguments {
  CommonOptions common;
  sim::Selection selection;
  std::string require;  ///< native | decomposed | host, or ""
  bool time = false;    ///< simulate timing for the share of time on the NPU
  bool details = false;
  bool what_if = false;
  std::vector<std::string> dynamic;  ///< parameters of the workload
};

struct MemoryArguments {
  CommonOptions common;
  sim::Selection selection;
  std::vector<std::string> largest;  ///< parameters of the workload
  bool details = false;
};

struct ReportArguments {
  CommonOptions common;
  std::string result;
};

struct DiffArguments {
  CommonOptions common;
  std::string before, after;
  bool details = false;
  bool exit_code = false;  ///< 1 where they differ
};

struct CheckArguments {
  CommonOptions common;
  std::string suite;
  bool update = false;
  bool bisect_op = false;
  std::string junit;
  std::string shard;  ///< "i/n", or ""
};

struct ValidateArguments {
  CommonOptions common;
  std::vector<std::string> files;
};

struct ValidateTimingArguments {
  CommonOptions common;
  std::vector<std::string> references;
  std::string npu;
};

struct ListArguments {
  CommonOptions common;
  std::string kind;
};

struct DescribeArguments {
  CommonOptions common;
  std::string name, kind;
};

struct FormatsArguments {
  CommonOptions common;
  std::vector<std::string> names;
};

struct QuantizeArguments {
  CommonOptions common;
  std::string format, rounding = "rne", subnormals, overflow, daz, scale_rounding;
  int random_bits = 0;      ///< with rounding sr
  std::optional<int> axis;  ///< of block-scaled formats; negative: from the last
  std::string input, output;
};

struct DotArguments {
  CommonOptions common;
  std::string unit, a, b, c, a_scales, b_scales, output;
  bool round_inputs = false;
};

struct ExplainArguments {
  CommonOptions common;
  std::string a_scales, b_scales;  ///< values with commas between
  std::string unit, a, b, c;       ///< operands: values with commas between, or a .npy file
  std::int64_t row = 0;            ///< of the files
  bool round_inputs = false;
};

struct ImportArguments {
  CommonOptions common;
  std::string input, output;
  std::vector<std::string> dims;  ///< NAME=N
  bool allow_unsupported = false;
};

struct TrainArguments {
  CommonOptions common;
  std::string npu, workload;
  std::vector<std::string> recipes;
  sim::TrainOptions options;
  bool reference = true;
  bool timing = true;
  bool what_if = false;
  std::string log;      ///< JSON lines
  std::string cluster;  ///< file or name; empty: one device
};

struct SweepArguments {
  CommonOptions common;
  std::string sweep;
  std::string store;  ///< "": NAME.sweep.db in the working folder
  bool resume = false;
  std::string shard;  ///< "i/n", or ""
};

struct MergeArguments {
  CommonOptions common;
  std::vector<std::string> stores;
  std::string output;
};

struct OnnxTestArguments {
  CommonOptions common;
  std::vector<std::string> folders;
  int seconds = 60;  ///< for each case
};

}  // namespace npusim::tools
