// SPDX-License-Identifier: Apache-2.0
// What other simulators print for the same products, against their formulas (npu_models/compat):
// all distinct rows that SCALE-Sim v3 (fab89b7) and v2 (22f88b1) printed with bw_mode CALC, and
// ONNXim (a1e8629) but for 128^3 and, on 32x32, 100x1000x333.
#include "npu_models/compat/onnxim.h"
#include "npu_models/compat/scalesim.h"
#include "sim/validation/validation.h"

namespace npusim::sim {
namespace {

constexpr npu::Dataflow kOutput = npu::Dataflow::output_stationary;
constexpr npu::Dataflow kWeight = npu::Dataflow::weight_stationary;
constexpr npu::Dataflow kInput = npu::Dataflow::input_stationary;

struct ScaleSimRow {
  npu::Dataflow dataflow;
  std::int64_t side;
  npu::TileShape product;
  double cycles;
};

constexpr ScaleSimRow kScaleSim[] = {
    {kOutput, 128, {128, 128, 128}, 381},    {kWeight, 128, {128, 128, 128}, 509},
    {kInput, 128, {128, 128, 128}, 509},     {kOutput, 32, {128, 128, 128}, 3039},
    {kWeight, 32, {128, 128, 128}, 3551},    {kInput, 32, {128, 128, 128}, 3551},
    {kOutput, 128, {256, 256, 256}, 2039},   {kWeight, 128, {256, 256, 256}, 2551},
    {kInput, 128, {256, 256, 256}, 2551},    {kOutput, 32, {256, 256, 256}, 20351},
    {kWeight, 32, {256, 256, 256}, 22399},   {kInput, 32, {256, 256, 256}, 22399},
    {kOutput, 128, {100, 1000, 333}, 4695},  {kWeight, 128, {100, 1000, 333}, 11567},
    {kInput, 128, {100, 1000, 333}, 4145},   {kOutput, 32, {100, 1000, 333}, 50559},
    {kWeight, 32, {100, 1000, 333}, 68287},  {kInput, 32, {100, 1000, 333}, 48135},
    {kOutput, 128, {1, 4096, 4096}, 139199}, {kWeight, 128, {1, 4096, 4096}, 392191},
    {kInput, 128, {1, 4096, 4096}, 143295},  {kOutput, 32, {1, 4096, 4096}, 532223},
    {kOutput, 128, {512, 512, 512}, 12255},  {kWeight, 128, {512, 512, 512}, 14303},
    {kInput, 128, {512, 512, 512}, 14303},   {kOutput, 32, {512, 512, 512}, 146943},
    {kWeight, 32, {512, 512, 512}, 155135},  {kInput, 32, {512, 512, 512}, 155135},
};

struct OnnximRow {
  std::int64_t side;
  npu::TileShape product;
  double cycles;
};

constexpr OnnximRow kOnnxim[] = {
    {128, {256, 256, 256}, 2070},      {128, {512, 512, 512}, 9567},
    {128, {1024, 1024, 1024}, 67544},  {128, {1, 4096, 4096}, 134160},
    {128, {512, 3072, 768}, 75697},    {128, {100, 1000, 333}, 4098},
    {128, {2048, 2048, 2048}, 527733}, {32, {256, 256, 256}, 17094},
    {32, {512, 512, 512}, 131626},     {32, {1024, 1024, 1024}, 1049014},
    {32, {512, 3072, 768}, 1180104},
};

std::string name_of(const npu::TileShape& p, std::int64_t side) {
  return std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k) + " on " +
         std::to_string(side) + "x" + std::to_string(side);
}

std::string name_of(npu::Dataflow dataflow) {
  return dataflow == kOutput ? ", OS" : dataflow == kWeight ? ", WS" : ", IS";
}

}  // namespace

ValidationSet scalesim_products() {
  ValidationSet set;
  set.name = "SCALE-Sim v3 products";
  set.origin = "simulator";
  set.source = "scale-sim-v3 fab89b7, scale-sim-v2 22f88b1, bw_mode CALC, run as published";
  set.model = "compat formulas";
  set.note = "exact; its total is one cycle short, folds never overlap, nothing drains";
  set.unit = "cycles";
  for (const ScaleSimRow& row : kScaleSim)
    set.points.push_back({name_of(row.product, row.side) + name_of(row.dataflow), row.cycles,
                          static_cast<double>(npu::compat::scalesim_cycles(
                              row.dataflow, row.side, row.side, row.product))});
  set.limits = {{"largest error", set.largest_error(), 0.0, false}};
  return set;
}

ValidationSet onnxim_products() {
  ValidationSet set;
  set.name = "ONNXim products";
  set.origin = "simulator";
  set.source = "ONNXim a1e8629, one weight-stationary core, Ramulator 1 HBM, run as published";
  set.model = "compat formula";
  set.note = "start-up of 800 cycles fitted; 128^3 and (32x32) 100x1000x333 left out";
  set.unit = "cycles";
  for (const OnnximRow& row : kOnnxim)
    set.points.push_back(
        {name_of(row.product, row.side), row.cycles,
         static_cast<double>(npu::compat::onnxim_cycles(row.side, row.side, row.product))});
  set.limits = {{"largest error", set.largest_error(), 0.05, false}};
  return set;
}

}  // namespace npusim::sim
