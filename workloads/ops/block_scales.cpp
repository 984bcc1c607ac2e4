// SPDX-License-Identifier: Apache-2.0
// Operands whose tiles (rows x columns of the last two dimensions) share a scale, and their
// products. A tile at the edge is smaller. Scales and elements as precision/block_quantize.h has
// them; the elements are rounded where they are stored.
#include "workloads/ops/block_scales.h"

#include <algorithm>
#include <stdexcept>

#include "precision/block_quantize.h"
#include "workloads/ops/broadcast.h"
#include "workloads/ops/matmul_shape.h"
#include "workloads/ops/simple_op.h"

namespace npusim::workloads {
namespace {

std::int64_t ceil_div(std::int64_t x, std::int64_t y) {
  return (x + y - 1) / y;
}

/// The last two dimensions in tiles.
struct Tiling {
  std::int64_t matrices = 1, rows = 1, columns = 1;
  std::int64_t tile_rows = 1, tile_columns = 1;

  std::int64_t down() const { return ceil_div(rows, tile_rows); }
  std::int64_t across() const { return ceil_div(columns, tile_columns); }
  std::int64_t scale_of(std::int64_t row, std::int64_t column) const {
    return row / tile_rows * across() + column / tile_columns;
  }
};

Tiling tiling(const NodeView& view, int input, const char* attribute) {
  const Shape& shape = view.input(input).shape;
  if (shape.size() < 2) shape_error("tiles are of matrices, not of " + to_string(shape));
  const std::vector<std::int64_t>& tile = view.integers(attribute);
  if (tile.size() != 2 || tile[0] < 1 || tile[1] < 1)
    shape_error(std::string(attribute) + " is [rows, columns], both positive");
  Tiling t;
  t.rows = shape[shape.size() - 2];
  t.columns = shape.back();
  for (std::size_t i = 0; i + 2 < shape.size(); ++i) t.matrices *= shape[i];
  t.tile_rows = std::min(tile[0], std::max<std::int64_t>(1, t.rows));
  t.tile_columns = std::min(tile[1], std::max<std::int64_t>(1, t.columns));
  return t;
}

Shape shape_of_scales(Shape shape, const Tiling& t) {
  shape[shape.size() - 2] = t.down();
  shape.back() = t.across();
  return shape;
}

AttributeSpec tile_attribute(const char* name, const char* of) {
  return {name, std::vector<std::int64_t>{}, true, of};
}

class QuantizeBlocks final : public SimpleOp {
 public:
  QuantizeBlocks()
      : SimpleOp({"QuantizeBlocks",
                  "x as elements, to be stored in a narrow format, and a scale for each tile",
                  OpClass::vector,
                  1,
                  1,
                  {{"format", std::string(), true, "block-scaled format, by name"},
                   {"scale_rounding", std::string(), true, "floor, ceil or rne"},
                   tile_attribute("tile", "rows and columns that share a scale")},
                  false,
                  2,
                  2}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    require_floating(view, 0);
    format_of(view);
    const Shape& shape = view.input(0).shape;
    return {{shape, ElementType::floating},
            {shape_of_scales(shape, tiling(view, 0, "tile")), ElementType::floating}};
  }
  /// The largest magnitude of each tile, its scale, and a division by it.
  std::vector<VectorWork> vector_work(const NodeView& view) const override {
    const std::int64_t count = elements_of(view.input(0));
    const std::int64_t scales = elements_of(view.output(1));
    return {{"max", count}, {"div", scales}, {"mul", count}};
  }
  void forward(Evaluation& e) const override {
    const Tiling t = tiling(e.view, 0, "tile");
    const precision::BlockFormat format = format_of(e.view);
    const std::vector<double>& x = e.inputs[0]->values;
    for (std::int64_t matrix = 0; matrix < t.matrices; ++matrix)
      for (std::int64_t row = 0; row < t.down(); ++row)
        for (std::int64_t column = 0; column < t.across(); ++column)
          quantize_tile(t, format, matrix, row, column, x, e.outputs);
  }

 private:
  static precision::BlockFormat format_of(const NodeView& view) {
    try {
      precision::BlockFormat format = precision::block_format_from_name(view.text("format"));
      format.scale_rounding = precision::scale_rounding_from_name(view.text("scale_rounding"));
      return format;
    } catch (const std::invalid_argument& error) {
      shape_error(error.what());
    }
  }

  static void quantize_tile(const Tiling& t, const precision::BlockFormat& format,
                            std::int64_t matrix, std::int64_t row, std::int64_t column,
                            const std::vector<double>& x, std::vector<Tensor>& outputs) {
    const std::int64_t last_row = std::min(t.rows, (row + 1) * t.tile_rows);
    const std::int64_t first = column * t.tile_columns;
    const std::int64_t count = std::min(t.columns - first, t.tile_columns);
    const auto at = [&](std::int64_t r) {
      return static_cast<std::size_t>((matrix * t.rows + r) * t.columns + first);
    };
    double amax = 0.0;
    for (std::int64_t r = row * t.tile_rows; r < last_row; ++r) {
      const double own = precision::block_amax(x.data() + at(r), count);
      if (own != own || own > amax) amax = own;
      if (amax != amax) break;
    }
    const double scale = precision::block_scale_of(format, amax, 1.0);
    const std::int64_t place = (matrix * t.down() + row) * t.across() + column;
    outputs[1].values[static_cast<std::size_t>(place)] = scale;
    for (std::int64_t r = row * t.tile_rows; r < last_row; ++r)
      for (std::int64_t i = 0; i < count; ++i) {
        const std::size_t element = at(r) + static_cast<std::size_t>(i);
        outputs[0].values[element] = scale > 0.0 ? precision::odd_quotient(x[element], scale) : 0.0;
      }
  }
};

/// Rows along K of a matrix with tiles.
class TiledRows final : public precision::OperandRows {
 public:
  TiledRows(const Tiling& tiling, const double* elements, const double* scales, bool k_first)
      : t_(tiling), elements_(elements), scales_(scales), k_first_(k_first) {}
  std::int64_t rows() const override { return k_first_ ? t_.columns : t_.rows; }
  void read(std::int64_t row, double* k_values) const override {
    for (std::int64_t i = 0; i < terms(); ++i)
      k_values[i] = elements_[k_first_ ? i * t_.columns + row : row * t_.columns + i];
  }
  bool has_scales() const override { return true; }
  void read_scales(std::int64_t row, double* k_scales) const override {
    for (std::int64_t i = 0; i < terms(); ++i)
      k_scales[i] = scales_[k_first_ ? t_.scale_of(i, row) : t_.scale_of(row, i)];
  }

 private:
  std::int64_t terms() const { return k_first_ ? t_.rows : t_.columns; }

  const Tiling& t_;
  const double* elements_;
  const double* scales_;
  bool k_first_;
};

/// Terms of K that share a scale of an operand.
std::int64_t block(const NodeView& view, int operand) {
  const bool swapped = view.integer(operand == 0 ? "transA" : "transB") != 0;
  const bool k_first = operand == 0 ? swapped : !swapped;
  return view.integers(operand == 0 ? "tile_a" : "tile_b")[k_first ? 0 : 1];
}

class BlockScaledMatMul final : public SimpleOp {
 public:
  BlockScaledMatMul()
      : SimpleOp({"BlockScaledMatMul",
                  "matrix product of (A, B, scales of A, scales of B), batched over leading "
                  "dimensions; K in its own order",
                  OpClass::matrix,
                  4,
                  4,
                  {tile_attribute("tile_a", "rows and columns of A that share a scale"),
                   tile_attribute("tile_b", "rows and columns of B that share a scale"),
                   {"transA", std::int64_t{0}, false, "1: A is stored transposed"},
                   {"transB", std::int64_t{0}, false, "1: B is stored transposed"}}}) {}
  std::vector<OutputSpec> infer(const NodeView& view) const override {
    for (const auto& [operand, attribute] : {std::pair{0, "tile_a"}, std::pair{1, "tile_b"}}) {
      const Shape scales =
          shape_of_scales(view.input(operand).shape, tiling(view, operand, attribute));
      if (view.input(operand + 2).shape != scales)
        shape_error("scales " + to_string(view.input(operand + 2).shape) + " where tiles have " +
                    to_string(scales));
    }
    if (block(view, 0) != block(view, 1))
      shape_error("blocks of " + std::to_string(block(view, 0)) + " and of " +
                  std::to_string(block(view, 1)) + " terms of K do not meet");
    return {{shape_of(view).result(), ElementType::floating}};
  }
  std::optional<Contraction> contraction(const NodeView& view) const override {
    const MatMulShape s = shape_of(view);
    return s.contraction(GemmRole::matmul, {{"K", s.k}});
  }
  std::vector<VectorWork> vector_work(const NodeView&) const override { return {}; }
  void forward(Evaluation& e) const override {
    const MatMulShape s = shape_of(e.view);
    const Tiling a = tiling(e.view, 0, "tile_a");
    const Tiling b = tiling(e.view, 1, "tile_b");
    const BroadcastIndex from_a(s.batch_a, s.batch);
    const BroadcastIndex from_b(s.batch_b, s.batch);
    for (std::int64_t i = 0; i < element_count(s.batch); ++i) {
      const TiledRows rows(a, matrix(e, 0, from_a(i), a.rows * a.columns),
                           matrix(e, 2, from_a(i), a.down() * a.across()), s.trans_a);
      const TiledRows columns(b, matrix(e, 1, from_b(i), b.rows * b.columns),
                              matrix(e, 3, from_b(i), b.down() * b.across()), !s.trans_b);
      precision::MatrixOutput out(e.outputs[0].values.data() + i * s.m * s.n, s.n);
      e.matrix.multiply(s.k, rows, columns, {}, out);
    }
  }

 private:
  static MatMulShape shape_of(const NodeView& view) {
    return matmul_shape(view.input(0).shape, view.input(1).shape, view.integer("transA") != 0,
                        view.integer("transB") != 0);
  }
  static const double* matrix(const Evaluation& e, int input, std::int64_t index,
                              std::int64_t size) {
    return e.inputs[static_cast<std::size_t>(input)]->values.data() + index * size;
  }
};

}  // namespace

Attributes block_attributes(const precision::BlockFormat& format, std::int64_t tile_rows,
                            std::int64_t tile_columns) {
  return {{"format", format.name},
          {"scale_rounding",
           precision::scale_rounding_names()[static_cast<std::size_t>(format.scale_rounding)]},
          {"tile", std::vector<std::int64_t>{tile_rows, tile_columns}}};
}

std::optional<ProductScales> scales_of_product(const NodeView& view) {
  if (view.node().op != "BlockScaledMatMul") return std::nullopt;
  return ProductScales{block(view, 0), 2};
}

void register_block_scales(OpRegistry& registry) {
  registry.add(std::make_unique<QuantizeBlocks>());
  registry.add(std::make_unique<BlockScaledMatMul>());
}

}  // namespace npusim::workloads
