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

base::ArrayData array(workloads::Shape shape, std::vector<double> values) {
  return {base::ElementKind::f64, std::move(shape), std::move(values)};
}

base::ArrayData rows(std::int64_t columns, std::vector<double> values) {
  const auto count = static_cast<std::int64_t>(values.size()) / columns;
  return array({count, columns}, std::move(values));
}

const std::vector<double>& part(const std::map<std::string, base::ArrayData>& file,
                                const std::string& path, const char* name, std::size_t multiple) {
  const auto found = file.find(name);
  if (found == file.end() || found->second.values.size() % multiple != 0)
    throw base::InputError(path + " is no checkpoint of npusim: " + name + " is missing or short",
                           "wrong-file");
  return found->second.values;
}

std::vector<double> text_values(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace

void write_checkpoint(const std::string& path, const CheckpointState& state) {
  std::map<std::string, base::ArrayData> file;
  file[kMeta] =
      array({7}, {static_cast<double>(state.step), static_cast<double>(state.updates),
                  static_cast<double>(state.skipped_steps), static_cast<double>(state.scaler.scale),
                  static_cast<double>(state.scaler.good_steps),
                  static_cast<double>(state.scaler.tolerance_left), state.scaler.largest});
  file[kIdentity] =
      array({static_cast<std::int64_t>(state.identity.size())}, text_values(state.identity));
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
  for (const auto& [name, tensor] : state.tensors) file[name] = array(tensor.first, tensor.second);
  base::write_whole_file(path, base::format_safetensors(file));
}

CheckpointState read_checkpoint(const std::string& path, const CheckpointState& expected) {
  const std::map<std::string, base::ArrayData> file = base::read_safetensors(path);
  const std::vector<double>& meta = part(file, path, kMeta, 7);
  if (part(file, path, kIdentity, 1) != text_values(expected.identity) || meta.size() != 7)
    throw base::InputError(path + " is of another workload, recipe or seed", "wrong-file");
  CheckpointState state = expected;
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
    state.evaluations.push_back({static_cast<std::int64_t>(evaluations[i]), evaluations[i + 1],
                                 evaluations[i + 2],
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

}  // namespace npusim::sim
