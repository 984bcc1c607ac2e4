// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/reference_file.h"

#include "npu_models/compat/onnxim.h"
#include "npu_models/compat/scalesim.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/validation/csv_table.h"
#include "sim/validation/product_run.h"

namespace npusim::sim {
namespace {

npu::TileShape shape_of(const CsvTable& table, std::size_t row) {
  const auto side = [&](std::initializer_list<const char*> columns) {
    return static_cast<std::int64_t>(table.positive(row, columns));
  };
  return {side({"m", "dim_m", "M"}), side({"n", "dim_n", "N"}), side({"k", "dim_k", "K"})};
}

std::string name_of(const npu::TileShape& p) {
  return std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k);
}

void measured_products(const CsvTable& table, const std::string& npu_name, int jobs,
                       ValidationSet& set) {
  const bool in_time = table.has("us") || table.has("fusion_avg");
  const npu::NpuSpec npu = npu::load_npu(find_file("npu", npu_name));
  set.model = "SystemC tile model of " + npu.name;
  set.unit = in_time ? "us" : "cycles";
  std::vector<Product> products;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    products.push_back({shape_of(table, row)});
    set.points.push_back(
        {name_of(products.back().shape), table.positive(row, {"us", "fusion_avg", "cycles"}), 0.0});
  }
  const std::vector<double> simulated = product_cycles(npu, products, jobs);
  for (std::size_t i = 0; i < simulated.size(); ++i)
    set.points[i].simulated = in_time ? simulated[i] / npu.clock_mhz : simulated[i];
}

void scalesim_totals(const CsvTable& table, ValidationSet& set) {
  set.model = "compat formula of SCALE-Sim";
  set.unit = "cycles";
  const std::vector<std::pair<std::string, npu::Dataflow>> dataflows = {
      {"os", npu::Dataflow::output_stationary},
      {"ws", npu::Dataflow::weight_stationary},
      {"is", npu::Dataflow::input_stationary}};
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const bool other = (table.has("bw_mode") && table.text(row, {"bw_mode"}) != "CALC") ||
                       (table.has("workload") && table.text(row, {"workload"}) != "gemm");
    if (other) continue;
    const std::string name = table.text(row, {"dataflow"});
    const npu::TileShape product = shape_of(table, row);
    for (const auto& [short_name, dataflow] : dataflows)
      if (name == short_name)
        set.points.push_back(
            {name_of(product) + ", " + name, table.positive(row, {"compute_cycles"}),
             static_cast<double>(npu::compat::scalesim_cycles(
                 dataflow, static_cast<std::int64_t>(table.positive(row, {"array_rows"})),
                 static_cast<std::int64_t>(table.positive(row, {"array_cols"})), product))});
  }
}

void onnxim_totals(const CsvTable& table, ValidationSet& set) {
  set.model = "compat formula of ONNXim";
  set.note = "its start-up of 800 cycles was fitted before";
  set.unit = "cycles";
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (table.has("workload") && table.text(row, {"workload"}).rfind('g', 0) != 0) continue;
    const std::string array = table.text(row, {"array"});
    const std::size_t x = array.find('x');
    if (x == std::string::npos || x == 0 || x + 1 == array.size() ||
        array.find_first_not_of("0123456789x") != std::string::npos || array.size() > 11)
      table.fail(row + 2, "array is \"" + array + "\"", "rows x columns, as 128x128");
    const npu::TileShape product = shape_of(table, row);
    set.points.push_back(
        {name_of(product) + " on " + array, table.positive(row, {"total_cycles"}),
         static_cast<double>(npu::compat::onnxim_cycles(
             std::stoll(array.substr(0, x)), std::stoll(array.substr(x + 1)), product))});
  }
}

}  // namespace

ValidationSet reference_figures(const std::string& file, const std::string& npu_name, int jobs) {
  const CsvTable table(file);
  ValidationSet set;
  set.name = file;
  set.origin = "reference file";
  set.source = file;
  if (table.has("compute_cycles") && table.has("dataflow")) {
    scalesim_totals(table, set);
  } else if (table.has("total_cycles") && table.has("array")) {
    onnxim_totals(table, set);
  } else if ((table.has("m") || table.has("dim_m") || table.has("M")) &&
             (table.has("us") || table.has("fusion_avg") || table.has("cycles"))) {
    measured_products(table, npu_name, jobs, set);
  } else {
    table.fail(
        1, "the header does not name the columns of published figures",
        "m, n, k and us, fusion_avg or cycles; or the columns of SCALE-Sim or ONNXim totals");
  }
  if (set.points.empty()) table.fail(2, "no row can be compared", "products");
  return set;
}

}  // namespace npusim::sim
