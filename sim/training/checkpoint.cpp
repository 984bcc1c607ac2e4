// SPDX-License-Identifier: Apache-2.0
#include "sim/training/checkpoint.h"

#include <algorithm>

#include "base/array_file.h"
#include "base/error.h"
#include "base/whole_file.h"

namespace npusim::sim {
namespace {

constexpr const char* kMeta = "npusim.meta";
constexpr const char* kIdentity = "npusim.identity";
constexpr const char* kSteps = "npusim.steps";
constexpr const char* kEvaluations = "npusim.evaluations";
constexpr const char* kOverlaps = "npusim.overlaps";  // of detectors only
constexpr const char* kNames = "npusim.names";        // that rows of statistics number
constexpr const char* kGradients = "npusim.gradients";
constexpr const char* kExponents = "npusim.exponents";
constexpr const char* kUpdates = "npusim.updates";
constexpr const char* kFirstNonfinite = "npusim.first_nonfinite";

using Arrays = std::map<std::string, base::ArrayData>;

base::ArrayData array(workloads::Shape shape, std::vector<double> values) {
  return {base::ElementKind::f64, std::move(shape), std::move(values)};
}

base::ArrayData rows(std::int64_t columns, std::vector<double> values) {
  const auto count = static_cast<std::int64_t>(values.size()) / columns;
  return array({count, columns}, std::move(values));
}

const std::vector<double>& part(const Arrays& file, const std::string& path, const char* name,
                                std::size_t multiple) {
  const auto found = file.find(name);
  if (found == file.end() || found->second.values.size() % multiple != 0)
    throw base::InputError(
        path + " is no checkpoint of this version of npusim: " + name + " is missing or short",
        "wrong-file");
  return found->second.values;
}

std::vector<double> text_values(const std::string& text) {
  return {text.begin(), text.end()};
}

std::string text_of(const std::vector<double>& values) {
  std::string text;
  for (const double value : values) text += static_cast<char>(value);
  return text;
}

std::string text_of(const std::vector<std::pair<std::string, std::string>>& identity) {
  std::string text;
  for (const auto& [what, value] : identity) text.append(what).append("\t").append(value) += '\n';
  return text;
}

/// Throws unless the identity in the file is the expected one.
void check_identity(const std::string& path, const std::string& found,
                    const CheckpointState& expected) {
  if (found == text_of(expected.identity)) return;
  std::string differences;
  for (const auto& [what, value] : expected.identity) {
    const std::string begin = what + "\t";
    const std::size_t at = ("\n" + found).find("\n" + begin);
    if (at == std::string::npos)
      throw base::InputError(path +
                                 " is a checkpoint of another version of npusim: it does not say "
                                 "its " +
                                 what,
                             "wrong-file");
    const std::size_t first = at + begin.size();
    const std::string there = found.substr(first, found.find('\n', first) - first);
    if (there != value)
      differences += (differences.empty() ? "" : "; ") + what + " " + there + ", here " + value;
  }
  throw base::InputError(path + " is of another run: " + differences, "wrong-file");
}

/// Numbers for names, in the order of their first use.
class Names {
 public:
  double number(const std::string& name) {
    const auto [found, is_new] = numbers_.emplace(name, static_cast<double>(numbers_.size()));
    if (is_new) text_ += name + "\n";
    return found->second;
  }
  const std::string& text() const { return text_; }

 private:
  std::map<std::string, double> numbers_;
  std::string text_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

/// The numbers of one row, one after the other.
class Row {
 public:
  explicit Row(const double* values) : next_(values) {}
  void operator()(double& value) { value = *next_++; }
  void operator()(std::int64_t& value) { value = static_cast<std::int64_t>(*next_++); }

 private:
  const double* next_;
};

/// Every number of a row, in the order in which it is stored.
template <class Statistics, class Visit>
void visit_gradient(Statistics& s, const Visit& visit) {
  for (auto* count : {&s.step, &s.count, &s.zeros, &s.flushed, &s.subnormal, &s.overflowed,
                      &s.nonfinite, &s.masked})
    visit(*count);
  for (auto* real : {&s.scale, &s.largest, &s.smallest, &s.signed_bias}) visit(*real);
  for (auto& count : s.recovered) visit(count);
  for (auto& count : s.overflowing) visit(count);
}
constexpr std::size_t kGradientColumns = 3 + 12 + 2 * kRecoveryExponents.size();  // with 3 names

template <class Statistics, class Visit>
void visit_update(Statistics& s, const Visit& visit) {
  for (auto* count : {&s.step, &s.weights, &s.with_gradient, &s.stalled, &s.small_updates})
    visit(*count);
  for (auto* real : {&s.working_drift, &s.changed_squares, &s.master_squares}) visit(*real);
}
constexpr std::size_t kUpdateColumns = 8;

void add_statistics(const CheckpointState& state, Arrays& file) {
  Names names;
  std::vector<double> gradients, exponents, updates;
  for (const GradientStatistics& s : state.gradients) {
    for (const auto& [exponent, count] : s.exponents)
      exponents.insert(exponents.end(),
                       {static_cast<double>(gradients.size() / kGradientColumns),
                        static_cast<double>(exponent), static_cast<double>(count)});
    for (const std::string* name : {&s.tensor, &s.role, &s.format})
      gradients.push_back(names.number(*name));
    visit_gradient(s, [&](auto value) { gradients.push_back(static_cast<double>(value)); });
  }
  for (const UpdateStatistics& s : state.update_statistics)
    visit_update(s, [&](auto value) { updates.push_back(static_cast<double>(value)); });
  const FirstNonfinite& first = state.first_nonfinite;
  file[kFirstNonfinite] = array(
      {3}, {static_cast<double>(first.step), names.number(first.op), names.number(first.tensor)});
  file[kGradients] = rows(kGradientColumns, std::move(gradients));
  file[kExponents] = rows(3, std::move(exponents));
  file[kUpdates] = rows(kUpdateColumns, std::move(updates));
  file[kNames] = array({static_cast<std::int64_t>(names.text().size())}, text_values(names.text()));
}

void read_statistics(const Arrays& file, const std::string& path, CheckpointState& state) {
  const std::vector<std::string> names = lines_of(text_of(part(file, path, kNames, 1)));
  const auto name = [&](double number) {
    const auto index = static_cast<std::size_t>(number);
    if (!(number >= 0.0) || index >= names.size())
      throw base::InputError(path + " is no checkpoint of npusim: a name is missing", "wrong-file");
    return names[index];
  };
  const std::vector<double>& gradients = part(file, path, kGradients, kGradientColumns);
  for (std::size_t i = 0; i < gradients.size(); i += kGradientColumns) {
    GradientStatistics& s = state.gradients.emplace_back();
    s.tensor = name(gradients[i]);
    s.role = name(gradients[i + 1]);
    s.format = name(gradients[i + 2]);
    Row row(gradients.data() + i + 3);
    visit_gradient(s, [&](auto& value) { row(value); });
  }
  const std::vector<double>& exponents = part(file, path, kExponents, 3);
  for (std::size_t i = 0; i < exponents.size(); i += 3) {
    const auto index = static_cast<std::size_t>(exponents[i]);
    if (!(exponents[i] >= 0.0) || index >= state.gradients.size())
      throw base::InputError(path + " is no checkpoint of npusim: a gradient is missing",
                             "wrong-file");
    state.gradients[index].exponents[static_cast<int>(exponents[i + 1])] =
        static_cast<std::int64_t>(exponents[i + 2]);
  }
  const std::vector<double>& updates = part(file, path, kUpdates, kUpdateColumns);
  for (std::size_t i = 0; i < updates.size(); i += kUpdateColumns) {
    Row row(updates.data() + i);
    visit_update(state.update_statistics.emplace_back(), [&](auto& value) { row(value); });
  }
  const std::vector<double>& first = part(file, path, kFirstNonfinite, 3);
  if (!first.empty() && first[0] >= 0.0)
    state.first_nonfinite = {static_cast<std::int64_t>(first[0]), name(first[1]), name(first[2])};
}

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointState& state) {
  Arrays file;
  file[kMeta] =
      array({7}, {static_cast<double>(state.step), static_cast<double>(state.updates),
                  static_cast<double>(state.skipped_steps), static_cast<double>(state.scaler.scale),
                  static_cast<double>(state.scaler.good_steps),
                  static_cast<double>(state.scaler.tolerance_left), state.scaler.largest});
  const std::string identity = text_of(state.identity);
  file[kIdentity] = array({static_cast<std::int64_t>(identity.size())}, text_values(identity));
  std::vector<double> steps, evaluations, overlaps;
  for (const StepRecord& s : state.steps)
    steps.insert(steps.end(), {static_cast<double>(s.step), s.loss, s.scale, s.learning_rate,
                               s.skipped ? 1.0 : 0.0});
  for (const Evaluation& e : state.evaluations)
    evaluations.insert(evaluations.end(), {static_cast<double>(e.step), e.loss, e.accuracy,
                                           static_cast<double>(e.labels)});
  for (const Evaluation& e : state.evaluations)
    if (e.mean_iou) overlaps.push_back(*e.mean_iou);
  if (!overlaps.empty()) file[kOverlaps] = rows(1, std::move(overlaps));
  file[kSteps] = rows(5, std::move(steps));
  file[kEvaluations] = rows(4, std::move(evaluations));
  add_statistics(state, file);
  for (const auto& [name, tensor] : state.tensors) file[name] = array(tensor.first, tensor.second);
  base::write_whole_file(path, base::format_safetensors(file));
}

CheckpointState read_checkpoint(const std::string& path, const CheckpointState& expected) {
  const Arrays file = base::read_safetensors(path);
  const std::vector<double>& meta = part(file, path, kMeta, 7);
  if (meta.size() != 7)
    throw base::InputError(path + " is no checkpoint of npusim: " + kMeta + " is too long",
                           "wrong-file");
  check_identity(path, text_of(part(file, path, kIdentity, 1)), expected);
  CheckpointState state;
  state.identity = expected.identity;
  read_statistics(file, path, state);
  state.step = static_cast<std::int64_t>(meta[0]);
  state.updates = static_cast<std::int64_t>(meta[1]);
  state.skipped_steps = static_cast<std::int64_t>(meta[2]);
  state.scaler.scale = static_cast<float>(meta[3]);
  state.scaler.good_steps = static_cast<std::int64_t>(meta[4]);
  state.scaler.tolerance_left = static_cast<std::int64_t>(meta[5]);
  state.scaler.largest = meta[6];
  const std::vector<double>& steps = part(file, path, kSteps, 5);
  for (std::size_t i = 0; i < steps.size(); i += 5)
    state.steps.push_back({static_cast<std::int64_t>(steps[i]), steps[i + 1], steps[i + 2],
                           steps[i + 3], steps[i + 4] != 0.0});
  const std::vector<double>& evaluations = part(file, path, kEvaluations, 4);
  for (std::size_t i = 0; i < evaluations.size(); i += 4)
    state.evaluations.push_back({static_cast<std::int64_t>(evaluations[i]),
                                 evaluations[i + 1],
                                 evaluations[i + 2],
                                 {},
                                 static_cast<std::int64_t>(evaluations[i + 3])});
  if (file.count(kOverlaps) != 0) {
    const std::vector<double>& overlaps = part(file, path, kOverlaps, 1);
    for (std::size_t i = 0; i < std::min(overlaps.size(), state.evaluations.size()); ++i)
      state.evaluations[i].mean_iou = overlaps[i];
  }
  for (const auto& [name, data] : file)
    if (name.rfind("npusim.", 0) != 0) state.tensors[name] = {data.shape, data.values};
  return state;
}

void restore_statistics(const std::string& path, TrainRun& run) {
  CheckpointState state;
  read_statistics(base::read_safetensors(path), path, state);
  run.gradients = std::move(state.gradients);
  run.updates = std::move(state.update_statistics);
  run.first_nonfinite = std::move(state.first_nonfinite);
}

}  // namespace npusim::sim
