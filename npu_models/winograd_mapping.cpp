// SPDX-License-Identifier: Apache-2.0
#include "npu_models/winograd_mapping.h"

#include <algorithm>

#include "npu_models/ceil_div.h"
#include "npu_models/input_units.h"
#include "npu_models/winograd_steps.h"
#include "precision/unit_text.h"
#include "workloads/winograd.h"

namespace npusim::npu {
namespace {

using workloads::NodeView;

bool all_one(const std::vector<std::int64_t>& values) {
  return std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value == 1; });
}

std::string wrong_shape(const ConvolutionCase& c) {
  if (!is_convolution(c.node)) return "Winograd takes Conv and its data gradient, not " + c.node.op;
  const NodeView view(c.graph, c.node);
  const workloads::Shape& w = view.input(1).shape;
  if (w.size() != 4) return "Winograd takes images of two dimensions";
  if (w[2] != workloads::kWinogradTaps || w[3] != workloads::kWinogradTaps)
    return "a kernel of " + std::to_string(w[2]) + "x" + std::to_string(w[3]) + ", not 3x3";
  if (!all_one(view.integers("strides"))) return "strides above 1";
  if (!all_one(view.integers("dilations"))) return "dilations above 1";
  return {};
}

/// Values that a step of the graph may change, or that are made in it.
bool changes(const workloads::Graph& graph, workloads::TensorId tensor) {
  if (!graph.tensor(tensor).initializer) return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const workloads::Node& node) {
    return node.phase != workloads::Phase::forward ||
           std::find(node.outputs.begin(), node.outputs.end(), tensor) != node.outputs.end();
  });
}

bool within(const precision::Format& inner, const precision::Format& outer) {
  return inner.fraction_bits <= outer.fraction_bits && inner.exponent_bits <= outer.exponent_bits;
}

std::string missing_function(const VectorUnitSpec& unit, const WinogradForm& form) {
  std::vector<std::vector<workloads::VectorWork>> all = {input_transforms(form, 1),
                                                         output_transforms(form, 1, 0)};
  if (!form.offline_weights) all.push_back(weight_transforms(form, 1));
  for (const auto& work : all)
    for (const workloads::VectorWork& part : work)
      if (unit.cycles_per_element.count(part.function) == 0) return part.function;
  return {};
}

}  // namespace

std::string output_tile_name(std::int64_t outputs) {
  return std::to_string(outputs) + "x" + std::to_string(outputs);
}

std::string describe(const WinogradForm& form) {
  return name_of(form) + ", transforms in " + precision::describe(form.arithmetic) + ", weights " +
         (form.offline_weights ? "offline" : "on the fly");
}

bool is_convolution(const workloads::Node& node) {
  return node.op == "Conv" || node.op == "ConvDataGradient";
}

std::string why_not_winograd(const ConvolutionCase& c, std::int64_t outputs) {
  if (std::string reason = wrong_shape(c); !reason.empty()) return reason;
  if (c.npu.data_layout.im2col == Rearranging::through_dram || !c.contraction.window)
    return "its image is rearranged in DRAM";
  const OperandFormats& operands = c.operands;
  if (operands.streamed.name != operands.stationary.name)
    return "operands in " + operands.streamed.name + " and " + operands.stationary.name;
  if (operands.scale_block > 0) return "operands share scales";
  if (operands.streamed.is_fixed_point())
    return "transforms leave the range of " + operands.streamed.name;
  const WinogradForm form = winograd_form(c, outputs);
  if (form.offline_weights &&
      changes(c.graph, c.node.inputs[static_cast<std::size_t>(c.contraction.n_input)]))
    return "weights are made or changed in the graph, so not transformed offline";
  if (form.stage == WinogradStage::array_edge)
    return c.npu.mapping.winograd.stage == form.stage
               ? ""
               : "the reference transforms at the array's edge, where this design has no adders";
  const VectorUnitSpec& unit = c.npu.vector_unit;
  if (const std::string lacks = missing_function(unit, form); !lacks.empty())
    return "the vector unit has no " + lacks;
  if (unit.internal && !within(form.arithmetic.format, *unit.internal))
    return "transforms in " + form.arithmetic.format.name + ", the vector unit computes in " +
           unit.internal->name;
  return {};
}

WinogradForm winograd_form(const ConvolutionCase& c, std::int64_t outputs) {
  const WinogradOptions& options = c.npu.mapping.winograd;
  WinogradForm form;
  form.outputs = outputs;
  form.stage = c.like != nullptr ? c.like->stage : options.stage;
  form.offline_weights = c.like != nullptr ? c.like->offline_weights : options.offline_weights;
  form.arithmetic = {options.arithmetic.value_or(c.internal), precision::Rounding::rne};
  if (c.like != nullptr) form.arithmetic = c.like->arithmetic;
  form.convolution = c.contraction;
  return form;
}

workloads::Contraction winograd_contraction(const workloads::Contraction& convolution,
                                            std::int64_t outputs) {
  workloads::Contraction product = convolution;
  product.dims = {convolution.dims.front()};
  product.bias_input = -1;
  workloads::Window& w = *product.window;
  w.out_height = ceil_div(w.out_height, outputs);
  w.out_width = ceil_div(w.out_width, outputs);
  w.kernel_height = w.kernel_width = workloads::winograd_side(outputs);
  w.stride_height = w.stride_width = outputs;
  product.m = w.images * w.out_height * w.out_width;
  return product;
}

}  // namespace npusim::npu
