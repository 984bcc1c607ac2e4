// SPDX-License-Identifier: Apache-2.0
#include "workloads/winograd.h"

#include "base/error.h"

namespace npusim::workloads {
namespace {

using Line = std::array<double, 6>;

/// Rounds every operation.
class Rounded {
 public:
  Rounded(const precision::Rounder& round, double a_sixth, double a_twenty_fourth)
      : sixth(a_sixth), twenty_fourth(a_twenty_fourth), round_(round) {}
  double add(double x, double y) const { return round_(x + y); }
  double sub(double x, double y) const { return round_(x - y); }
  double mul(double constant, double x) const { return round_(constant * x); }

  double sixth, twenty_fourth;

 private:
  const precision::Rounder& round_;
};

/// Counts them.
class Counted {
 public:
  double add(double, double) const { return ++operations.add, 0.0; }
  double sub(double, double) const { return ++operations.add, 0.0; }
  double mul(double, double) const { return ++operations.mul, 0.0; }

  double sixth = 0.0, twenty_fourth = 0.0;
  mutable WinogradOperations operations;
};

struct InputLine {
  static std::int64_t reads(std::int64_t outputs) { return winograd_side(outputs); }
  static std::int64_t writes(std::int64_t outputs) { return winograd_side(outputs); }
  template <class M>
  static void apply(const M& m, std::int64_t outputs, const Line& d, Line& v) {
    if (outputs == 2) {
      v[0] = m.sub(d[0], d[2]);
      v[1] = m.add(d[1], d[2]);
      v[2] = m.sub(d[2], d[1]);
      v[3] = m.sub(d[1], d[3]);
      return;
    }
    const double a = m.sub(d[4], m.mul(4, d[2])), b = m.sub(d[3], m.mul(4, d[1]));
    const double c = m.sub(d[4], d[2]), e = m.mul(2, m.sub(d[3], d[1]));
    v[0] = m.add(m.sub(m.mul(4, d[0]), m.mul(5, d[2])), d[4]);
    v[1] = m.add(a, b);
    v[2] = m.sub(a, b);
    v[3] = m.add(c, e);
    v[4] = m.sub(c, e);
    v[5] = m.add(m.sub(m.mul(4, d[1]), m.mul(5, d[3])), d[5]);
  }
};

struct WeightLine {
  static std::int64_t reads(std::int64_t) { return kWinogradTaps; }
  static std::int64_t writes(std::int64_t outputs) { return winograd_side(outputs); }
  template <class M>
  static void apply(const M& m, std::int64_t outputs, const Line& g, Line& u) {
    const double p = m.add(g[0], g[2]);
    if (outputs == 2) {
      u[0] = g[0];
      u[1] = m.mul(0.5, m.add(p, g[1]));
      u[2] = m.mul(0.5, m.sub(p, g[1]));
      u[3] = g[2];
      return;
    }
    const double q = m.add(g[0], m.mul(4, g[2])), r = m.mul(2, g[1]);
    u[0] = m.mul(0.25, g[0]);
    u[1] = m.mul(-m.sixth, m.add(p, g[1]));
    u[2] = m.mul(-m.sixth, m.sub(p, g[1]));
    u[3] = m.mul(m.twenty_fourth, m.add(q, r));
    u[4] = m.mul(m.twenty_fourth, m.sub(q, r));
    u[5] = g[2];
  }
};

struct OutputLine {
  static std::int64_t reads(std::int64_t outputs) { return winograd_side(outputs); }
  static std::int64_t writes(std::int64_t outputs) { return outputs; }
  template <class M>
  static void apply(const M& m, std::int64_t outputs, const Line& s, Line& y) {
    if (outputs == 2) {
      y[0] = m.add(m.add(s[0], s[1]), s[2]);
      y[1] = m.sub(m.sub(s[1], s[2]), s[3]);
      return;
    }
    const double a = m.add(s[1], s[2]), b = m.sub(s[1], s[2]);
    const double c = m.add(s[3], s[4]), e = m.sub(s[3], s[4]);
    y[0] = m.add(m.add(s[0], a), c);
    y[1] = m.add(b, m.mul(2, e));
    y[2] = m.add(a, m.mul(4, c));
    y[3] = m.add(m.add(b, m.mul(8, e)), s[5]);
  }
};

/// Columns, then rows.
template <class Transform, class M>
void in_two_dimensions(const M& m, std::int64_t outputs, const double* in, double* out) {
  const auto n = static_cast<std::size_t>(Transform::reads(outputs));
  const auto w = static_cast<std::size_t>(Transform::writes(outputs));
  std::array<Line, 6> columns{};  // [row written][column read]
  Line line{}, result{};
  for (std::size_t column = 0; column < n; ++column) {
    for (std::size_t i = 0; i < n; ++i) line[i] = in[i * n + column];
    Transform::apply(m, outputs, line, result);
    for (std::size_t i = 0; i < w; ++i) columns[i][column] = result[i];
  }
  for (std::size_t row = 0; row < w; ++row) {
    Transform::apply(m, outputs, columns[row], result);
    for (std::size_t i = 0; i < w; ++i) out[row * w + i] = result[i];
  }
}

template <class Transform>
WinogradOperations operations_of(std::int64_t outputs) {
  const std::array<double, kMostWinogradPoints> in{};
  std::array<double, kMostWinogradPoints> out{};
  const Counted counted;
  in_two_dimensions<Transform>(counted, outputs, in.data(), out.data());
  return counted.operations;
}

}  // namespace

WinogradOperations winograd_input_operations(std::int64_t outputs) {
  return operations_of<InputLine>(outputs);
}

WinogradOperations winograd_weight_operations(std::int64_t outputs) {
  return operations_of<WeightLine>(outputs);
}

WinogradOperations winograd_output_operations(std::int64_t outputs) {
  return operations_of<OutputLine>(outputs);
}

WinogradTransforms::WinogradTransforms(std::int64_t outputs, const precision::Rounder& arithmetic)
    : outputs_(outputs),
      round_(arithmetic),
      sixth_(arithmetic(1.0 / 6.0)),
      twenty_fourth_(arithmetic(1.0 / 24.0)) {
  NPUSIM_CHECK(outputs == 2 || outputs == 4, "Winograd tiles have 2 x 2 or 4 x 4 outputs");
}

void WinogradTransforms::input(const double* tile, double* points) const {
  in_two_dimensions<InputLine>(Rounded(round_, sixth_, twenty_fourth_), outputs_, tile, points);
}

void WinogradTransforms::weights(const double* taps, double* points) const {
  in_two_dimensions<WeightLine>(Rounded(round_, sixth_, twenty_fourth_), outputs_, taps, points);
}

void WinogradTransforms::output(const double* sums, double* outputs) const {
  in_two_dimensions<OutputLine>(Rounded(round_, sixth_, twenty_fourth_), outputs_, sums, outputs);
}

}  // namespace npusim::workloads
