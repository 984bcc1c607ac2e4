// SPDX-License-Identifier: Apache-2.0
// Matrix products through a MAC unit, and their FP64 references. out[i][j] = planned_dot(A row i, B
// row j). Both operands are given as rows of K values, read when needed, so that an im2col matrix
// never exists as a whole. Bits do not depend on the thread count, the tile sizes used inside, or
// the SIMD path.
#pragma once

#include <cstdint>
#include <functional>

#include "precision/mac_unit.h"
#include "precision/reduction_plan.h"

namespace npusim::precision {

/// Runs body(0..count-1), in any order, possibly at the same time. precision/ starts no threads
/// itself.
using ParallelFor =
    std::function<void(std::int64_t count, const std::function<void(std::int64_t)>& body)>;
ParallelFor serial();

/// Rows of floats as they lie in memory, values one after the other; data is nullptr where there
/// are none.
template <class Real>
struct RowsInMemory {
  Real* data = nullptr;
  std::int64_t row_stride = 0;
};

/// One operand: `rows` rows of K values. Reading may happen in several threads at once.
class OperandRows {
 public:
  virtual ~OperandRows() = default;
  virtual std::int64_t rows() const = 0;
  /// Writes the K values of a row in canonical K order.
  virtual void read(std::int64_t row, double* k_values) const = 0;
  /// Block-scaled operands: read() gives elements, read_scales() the scale of each, one a term.
  virtual bool has_scales() const { return false; }
  virtual void read_scales(std::int64_t, double*) const {}
  /// The same as floats; asked for only where the unit's operand format is within binary32.
  virtual void read_floats(std::int64_t row, std::int64_t k, float* k_values) const;
  /// Canonical rows that are floats already: read in place, without a call a row.
  virtual RowsInMemory<const float> floats() const { return {}; }
};

/// A dense row-major matrix as an operand; row_stride and k_stride in elements.
class MatrixRows final : public OperandRows {
 public:
  MatrixRows(const double* data, std::int64_t rows, std::int64_t k, std::int64_t row_stride,
             std::int64_t k_stride)
      : data_(data), rows_(rows), k_(k), row_stride_(row_stride), k_stride_(k_stride) {}
  std::int64_t rows() const override { return rows_; }
  void read(std::int64_t row, double* k_values) const override {
    const double* source = data_ + row * row_stride_;
    for (std::int64_t i = 0; i < k_; ++i) k_values[i] = source[i * k_stride_];
  }

 private:
  const double* data_;
  std::int64_t rows_, k_, row_stride_, k_stride_;
};

/// The same over floats, at twice the speed where the arithmetic is fast.
class FloatMatrixRows final : public OperandRows {
 public:
  FloatMatrixRows(const float* data, std::int64_t rows, std::int64_t k, std::int64_t row_stride,
                  std::int64_t k_stride)
      : data_(data), rows_(rows), k_(k), row_stride_(row_stride), k_stride_(k_stride) {}
  std::int64_t rows() const override { return rows_; }
  void read(std::int64_t row, double* k_values) const override {
    const float* source = data_ + row * row_stride_;
    for (std::int64_t i = 0; i < k_; ++i) k_values[i] = static_cast<double>(source[i * k_stride_]);
  }
  void read_floats(std::int64_t row, std::int64_t k, float* k_values) const override {
    const float* source = data_ + row * row_stride_;
    for (std::int64_t i = 0; i < k; ++i) k_values[i] = source[i * k_stride_];
  }
  RowsInMemory<const float> floats() const override {
    return k_stride_ == 1 ? RowsInMemory<const float>{data_, row_stride_}
                          : RowsInMemory<const float>{};
  }

 private:
  const float* data_;
  std::int64_t rows_, k_, row_stride_, k_stride_;
};

/// Takes finished results: `count` values of row `row` from column `column` on. Called from several
/// threads for different (row, column) ranges.
class GemmOutput {
 public:
  virtual ~GemmOutput() = default;
  virtual void write(std::int64_t row, std::int64_t column, std::int64_t count,
                     const double* values) = 0;
  /// The same where results were computed as floats.
  virtual void write_floats(std::int64_t row, std::int64_t column, std::int64_t count,
                            const float* values);
  /// A result of floats, columns one after the other, that may be written to directly.
  virtual RowsInMemory<float> floats() { return {}; }
};

class MatrixOutput final : public GemmOutput {
 public:
  MatrixOutput(double* data, std::int64_t row_stride, std::int64_t column_stride = 1)
      : data_(data), row_stride_(row_stride), column_stride_(column_stride) {}
  void write(std::int64_t row, std::int64_t column, std::int64_t count,
             const double* values) override {
    for (std::int64_t i = 0; i < count; ++i)
      data_[row * row_stride_ + (column + i) * column_stride_] = values[i];
  }

 private:
  double* data_;
  std::int64_t row_stride_, column_stride_;
};

/// Results as floats: exact for accumulators (and outermost chunks) within binary32, rounded to
/// nearest for wider ones.
class FloatMatrixOutput final : public GemmOutput {
 public:
  FloatMatrixOutput(float* data, std::int64_t row_stride) : data_(data), row_stride_(row_stride) {}
  void write(std::int64_t row, std::int64_t column, std::int64_t count,
             const double* values) override {
    for (std::int64_t i = 0; i < count; ++i)
      data_[row * row_stride_ + column + i] = static_cast<float>(values[i]);
  }
  void write_floats(std::int64_t row, std::int64_t column, std::int64_t count,
                    const float* values) override {
    for (std::int64_t i = 0; i < count; ++i) data_[row * row_stride_ + column + i] = values[i];
  }
  RowsInMemory<float> floats() override { return {data_, row_stride_}; }

 private:
  float* data_;
  std::int64_t row_stride_;
};

/// Which operand row owns the bias value of an output: bias[i] (by_row) or bias[j] (by_column).
struct Bias {
  enum class Axis { none, by_row, by_column };
  Axis axis = Axis::none;
  const double* values =
      nullptr;  ///< values of the accumulator's format, or wider: rounded on entry
};

/// Operand values must be representable in the unit's operand formats (callers round tensors
/// before). Stochastic units: output (i, j) takes the random words of derived_key(key, i * columns
/// + j); make the key from seed, training step and op.
void emulated_gemm(const MacUnit& unit, const ReductionPlan& plan, const OperandRows& a,
                   const OperandRows& b, const Bias& bias, GemmOutput& out,
                   const ParallelFor& parallel, RandomKey key = {});

/// FP64: products and sums in double, K in canonical order, bias added last. `k` terms a row.
void reference_gemm(std::int64_t k, const OperandRows& a, const OperandRows& b, const Bias& bias,
                    GemmOutput& out, const ParallelFor& parallel);

/// Name of the SIMD path chosen for this machine ("avx512", "avx2", "baseline"). NPUSIM_SIMD in the
/// environment forces a lower one; results are the same bits on each.
const char* simd_path();

}  // namespace npusim::precision
