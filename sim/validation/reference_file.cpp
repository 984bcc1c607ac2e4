// SPDX-License-Identifier: Apache-2.0
#include "sim/validation/reference_file.h"

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "npu_models/npu_file.h"
#include "sim/catalog.h"
#include "sim/validation/product_run.h"

namespace npusim::sim {
namespace {

[[noreturn]] void fail(const std::string& file, int line, const std::string& message,
                       const std::string& allowed) {
  base::Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.line = line;
  diagnostic.code = "bad-reference";
  diagnostic.message = message;
  diagnostic.allowed = allowed;
  throw base::InputError(std::vector<base::Diagnostic>{diagnostic});
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(0, line.find_last_not_of("\r\n") + 1));
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

/// The first of the names that the header has; -1: none.
int column_of(const std::vector<std::string>& header, std::initializer_list<const char*> names) {
  for (const char* name : names)
    for (std::size_t i = 0; i < header.size(); ++i)
      if (header[i] == name) return static_cast<int>(i);
  return -1;
}

double positive(const std::string& file, int line, const std::vector<std::string>& cells,
                int column) {
  const auto at = static_cast<std::size_t>(column);
  try {
    const double value = at < cells.size() ? std::stod(cells[at]) : 0.0;
    if (value > 0.0) return value;
  } catch (const std::logic_error&) {
  }
  fail(file, line, "column " + std::to_string(column + 1) + " holds no positive number",
       "a positive number");
}

}  // namespace

ValidationSet reference_products(const std::string& file, const std::string& npu_name, int jobs) {
  std::ifstream stream(file);
  std::string text;
  if (!stream || !std::getline(stream, text)) fail(file, 1, "cannot be read", "a CSV file");
  const std::vector<std::string> header = cells_of(text);
  const int m = column_of(header, {"m", "dim_m", "M"}), n = column_of(header, {"n", "dim_n", "N"}),
            k = column_of(header, {"k", "dim_k", "K"});
  const int cycles = column_of(header, {"cycles"}), us = column_of(header, {"us", "fusion_avg"});
  if (m < 0 || n < 0 || k < 0 || (cycles < 0 && us < 0))
    fail(file, 1, "the header does not name the columns of measured products",
         "m, n, k and us, fusion_avg or cycles");

  const npu::NpuSpec npu = npu::load_npu(find_file("npu", npu_name));
  ValidationSet set;
  set.name = file;
  set.origin = "reference file";
  set.source = file;
  set.model = "SystemC tile model of " + npu.name;
  set.unit = us >= 0 ? "us" : "cycles";
  std::vector<Product> products;
  for (int line = 2; std::getline(stream, text); ++line) {
    const std::vector<std::string> cells = cells_of(text);
    if (cells.empty()) continue;
    const auto side = [&](int column) {
      return static_cast<std::int64_t>(positive(file, line, cells, column));
    };
    products.push_back({{side(m), side(n), side(k)}});
    const npu::TileShape& p = products.back().shape;
    set.points.push_back(
        {std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k),
         positive(file, line, cells, us >= 0 ? us : cycles), 0.0});
  }
  if (products.empty()) fail(file, 2, "there are no products", "a row a product");
  const std::vector<double> simulated = product_cycles(npu, products, jobs);
  for (std::size_t i = 0; i < simulated.size(); ++i)
    set.points[i].simulated = us >= 0 ? simulated[i] / npu.clock_mhz : simulated[i];
  return set;
}

}  // namespace npusim::sim
