// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "sim/writers/text_table.h"
#include "sim/writers/writers.h"
#include "workloads/detmath.h"

namespace npusim::sim {
namespace {

std::string error_text(const precision::ErrorMetrics& e) {
  return e.rel_fro ? fmt::format("{:.2e}", *e.rel_fro) : std::string("-");
}

/// Mean and largest magnitude in standard deviations, and the share of zeros.
std::vector<std::string> distribution_cells(const std::vector<TensorDistribution>& inputs,
                                            std::size_t which) {
  if (which >= inputs.size()) return {"-", "-", "-", "-"};
  const precision::Distribution& d = inputs[which].values;
  if (d.stddev == 0.0) return {fmt::format("{:.2e}", d.stddev), "-", "-", "-"};
  return {fmt::format("{:.2e}", d.stddev), fmt::format("{:.2f}", d.mean / d.stddev),
          fmt::format("{:.1f}", d.max_abs / d.stddev), fmt::format("{:.1f}", d.kurtosis)};
}

template <class Error>
void add_inputs(const Error& error, std::vector<std::string>& cells) {
  for (std::size_t which : {0U, 1U})
    for (std::string& cell : distribution_cells(error.inputs, which))
      cells.push_back(std::move(cell));
}

/// The node, marked where it is hypothetical.
template <class Labels>
std::string marked(const std::string& node, const Labels& labels) {
  return labels.count(node) == 0 ? node : node + " (hypothetical)";
}

void add_columns(TextTable& table, const std::vector<const char*>& numbers) {
  table.column("op");
  table.column("node");
  for (const char* number : numbers) table.column(number, true);
  for (const char* input : {"in", "2nd in"})
    for (const char* figure : {"stddev", "mean/stddev", "max/stddev", "kurtosis"})
      table.column(std::string(input) + " " + figure, true);
}

std::string sampled_table(const SampledNumerics& sampled, const HypotheticalOps& hypothetical) {
  TextTable table;
  const auto labels = labels_of(hypothetical, false);
  add_columns(table, {"elements", "local error", "95% from", "to", "ULP mean"});
  for (const SampledOpError& op : sampled.by_op) {
    std::vector<std::string> cells = {op.op,
                                      marked(op.node, labels),
                                      std::to_string(op.elements),
                                      error_text(op.local),
                                      fmt::format("{:.2e}", op.rel_fro_low),
                                      fmt::format("{:.2e}", op.rel_fro_high),
                                      fmt::format("{:.2f}", op.local.ulp_mean)};
    add_inputs(op, cells);
    table.row(std::move(cells));
  }
  std::string text = fmt::format(
      "sampled: {} MACs are more than --max-numeric-macs {} (or than memory holds); activations "
      "{}\n",
      sampled.macs, sampled.most_macs, sampled.activations);
  text += table.aligned();
  std::string skipped;
  for (const auto& [op, nodes] : sampled.skipped)
    skipped += fmt::format("{}{} {}", skipped.empty() ? "" : ", ", nodes, op);
  return skipped.empty() ? text : text + "not evaluated: " + skipped + "\n";
}

}  // namespace

std::string numerics_table_of(const RunResult& run) {
  if (!run.numerics) return {};
  if (run.numerics->sampled) return sampled_table(*run.numerics->sampled, run.hypothetical);
  TextTable table;
  const auto labels = labels_of(run.hypothetical, false);
  add_columns(table, {"local error", "propagated", "total error", "ULP mean"});
  for (const OpError& op : run.numerics->by_op) {
    std::vector<std::string> cells = {op.op,
                                      marked(op.node, labels),
                                      error_text(op.local),
                                      error_text(op.propagated),
                                      error_text(op.total),
                                      fmt::format("{:.2f}", op.local.ulp_mean)};
    add_inputs(op, cells);
    table.row(std::move(cells));
  }
  std::string text = table.aligned();
  if (const auto& task = run.numerics->task) {
    text += fmt::format("top-1 agreement with FP64: {:.2f} % of {}", 100.0 * task->agreement,
                        task->predictions);
    if (task->loss) {
      const double perplexity = workloads::det_exp(*task->loss);
      const double difference = perplexity - workloads::det_exp(*task->reference_loss);
      text += fmt::format("; loss {:.6g} ({:+.2e}), perplexity {:.6g} ({:+.2e})", *task->loss,
                          *task->loss - *task->reference_loss, perplexity, difference);
    }
    text += '\n';
  }
  for (const auto& [function, how] : run.numerics->approximations)
    text += fmt::format("from a table: {}: {}\n", function, how);
  return text;
}

}  // namespace npusim::sim
