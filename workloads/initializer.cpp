// SPDX-License-Identifier: Apache-2.0
#include "workloads/initializer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "workloads/detmath.h"
#include "workloads/distributions.h"
#include "workloads/initializer_file.h"
#include "workloads/weight_structure.h"

namespace npusim::workloads {
namespace {

using Kind = Initializer::Kind;

struct Fans {
  double in = 1.0, out = 1.0;
};

Fans fans_of(const Shape& shape, const std::string& tensor_name) {
  if (shape.size() < 2)
    throw base::InputError(fmt::format("tensor {} of shape {} has no fan-in: Kaiming and Xavier "
                                       "initialisers need rank 2 or more",
                                       tensor_name, to_string(shape)),
                           "wrong-initializer");
  double window = 1.0;
  for (std::size_t i = 2; i < shape.size(); ++i) window *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * window, static_cast<double>(shape[0]) * window};
}

/// Element `at` of a table of rotary embedding.
double rotary(const Initializer& initializer, const Shape& shape, std::int64_t at) {
  const std::int64_t pairs = shape[shape.size() - 1];
  const std::int64_t positions = shape[shape.size() - 2];
  const double position = initializer.low + static_cast<double>(at / pairs % positions);
  const double exponent = static_cast<double>(at % pairs) / static_cast<double>(pairs);
  const double angle = position * det_pow(initializer.value, -exponent);
  const bool cosine = initializer.kind == Kind::rotary_cos;
  return static_cast<double>(static_cast<float>(cosine ? det_cos(angle) : det_sin(angle)));
}

/// Draws that share a family: a normal one says its moments.
struct Normal {
  double mean = 0.0, stddev = 1.0;
};

std::optional<Normal> normal_of(const Initializer& initializer, const Fans& fans) {
  switch (initializer.kind) {
    case Kind::normal:
      return Normal{initializer.mean, initializer.stddev};
    case Kind::kaiming_normal:
      return Normal{initializer.mean, std::sqrt(2.0 / fans.in)};
    case Kind::xavier_normal:
      return Normal{0.0, std::sqrt(2.0 / (fans.in + fans.out))};
    default:
      return std::nullopt;
  }
}

/// The values of a generated tensor, any of them.
class Generator {
 public:
  Generator(const Initializer& initializer, const Shape& shape, ElementType type,
            const std::string& tensor_name, std::uint64_t seed)
      : initializer_(initializer),
        shape_(shape),
        type_(type),
        stream_name_(initializer.stream.empty() ? tensor_name : initializer.stream),
        stream_(seed, stream_name_),
        fans_(needs_fans(initializer.kind) ? fans_of(shape, tensor_name) : Fans{}),
        normal_(normal_of(initializer, fans_)),
        structure_(normal_ ? initializer : Initializer{}, shape, normal_ ? normal_->stddev : 0.0,
                   seed, stream_name_) {}

  void range(ElementRange range, double* out) const {
    draw(range, out);
    if (!structure_.empty())
      for (std::int64_t i = 0; i < range.count; ++i)
        out[i] = structure_.shaped(out[i], range.begin + i);
  }

  void at(const std::vector<std::int64_t>& indices, double* out) const {
    if (normal_) {
      normal_at(indices, out);
    } else {
      double pair[2] = {};
      for (std::size_t i = 0; i < indices.size(); ++i) {
        draw({indices[i] / 2 * 2, 2}, pair);
        out[i] = pair[indices[i] % 2];
      }
    }
    if (!structure_.empty())
      for (std::size_t i = 0; i < indices.size(); ++i)
        out[i] = structure_.shaped(out[i], indices[i]);
  }

 private:
  /// Normal draws: long rows of neighbours in pairs, what lies apart one by one.
  void normal_at(const std::vector<std::int64_t>& indices, double* out) const {
    constexpr std::size_t kRow = 16;
    const auto end_of_row = [&](std::size_t i) {
      for (++i; i < indices.size() && indices[i] == indices[i - 1] + 1;) ++i;
      return i;
    };
    const auto apart = [&](std::size_t begin, std::size_t end) {
      draw_normal_at(stream_, normal_->mean, normal_->stddev, indices.data() + begin,
                     static_cast<std::int64_t>(end - begin), out + begin);
    };
    std::size_t pending = 0;  // what lies apart and is not drawn yet begins here
    for (std::size_t i = 0; i < indices.size();) {
      const std::size_t end = end_of_row(i);
      if (end - i >= kRow) {
        if (indices[i] % 2 != 0) ++i;
        apart(pending, i);
        draw({indices[i], static_cast<std::int64_t>(end - i)}, out + i);
        pending = end;
      }
      i = end;
    }
    apart(pending, indices.size());
  }

  void symmetric(double bound, ElementRange range, double* out) const {
    draw_uniform(stream_, -bound, bound, range, out);
  }
  void constant(double value, ElementRange range, double* out) const {
    if (type_ == ElementType::floating) value = static_cast<double>(static_cast<float>(value));
    std::fill_n(out, range.count, value);
  }

  void draw(ElementRange range, double* out) const {
    switch (initializer_.kind) {
      case Kind::constant:
        return constant(initializer_.value, range, out);
      case Kind::calibrated_mean:
        return constant(0.0, range, out);
      case Kind::calibrated_variance:
        return constant(1.0, range, out);
      case Kind::uniform:
        return draw_uniform(stream_, initializer_.low, initializer_.high, range, out);
      case Kind::normal:
      case Kind::kaiming_normal:
      case Kind::xavier_normal:
        return draw_normal(stream_, normal_->mean, normal_->stddev, range, out);
      case Kind::kaiming_uniform:
        return symmetric(std::sqrt(6.0 / fans_.in), range, out);
      case Kind::xavier_uniform:
        return symmetric(std::sqrt(6.0 / (fans_.in + fans_.out)), range, out);
      case Kind::uniform_int:
        return draw_integers(stream_, static_cast<std::int64_t>(initializer_.low),
                             static_cast<std::int64_t>(initializer_.high), range, out);
      case Kind::rotary_cos:
      case Kind::rotary_sin:
        for (std::int64_t i = 0; i < range.count; ++i)
          out[i] = rotary(initializer_, shape_, range.begin + i);
        return;
      case Kind::file:
      case Kind::values:
        break;
    }
    throw base::InternalError("not a generator");
  }

  const Initializer& initializer_;
  const Shape& shape_;
  ElementType type_;
  std::string stream_name_;
  RandomStream stream_;
  Fans fans_;
  std::optional<Normal> normal_;
  WeightStructure structure_;
};

void fill(Tensor& tensor, const Generator& generator, const precision::ParallelFor& parallel) {
  constexpr std::int64_t kBlock = 1 << 14;
  const auto count = static_cast<std::int64_t>(tensor.values.size());
  const auto block = [&](std::int64_t i) {
    const std::int64_t begin = i * kBlock;
    generator.range({begin, std::min(kBlock, count - begin)}, tensor.values.data() + begin);
  };
  const std::int64_t blocks = (count + kBlock - 1) / kBlock;
  if (parallel && blocks > 1)
    parallel(blocks, block);
  else
    for (std::int64_t i = 0; i < blocks; ++i) block(i);
}

void copy_given(const Initializer& initializer, Tensor& tensor, const std::string& tensor_name) {
  const std::size_t given = initializer.values ? initializer.values->size() : 0;
  if (given != tensor.values.size())
    throw base::InputError(
        fmt::format("tensor {} of shape {} has {} elements, {} values are given", tensor_name,
                    to_string(tensor.shape), tensor.values.size(), given),
        "shape-mismatch");
  if (given > 0) tensor.values = *initializer.values;
}

bool integral(Kind kind) {
  return kind == Kind::constant || kind == Kind::uniform_int || kind == Kind::file ||
         kind == Kind::values;
}

void check_type(const Initializer& initializer, ElementType type, const std::string& tensor_name) {
  if (type == ElementType::floating || integral(initializer.kind)) return;
  throw base::InputError(fmt::format("tensor {} holds integers: initialiser {} makes fractions",
                                     tensor_name, name_of(initializer.kind)),
                         "wrong-initializer");
}

}  // namespace

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::constant:
      return "constant";
    case Kind::uniform:
      return "uniform";
    case Kind::normal:
      return "normal";
    case Kind::kaiming_normal:
      return "kaiming_normal";
    case Kind::kaiming_uniform:
      return "kaiming_uniform";
    case Kind::xavier_normal:
      return "xavier_normal";
    case Kind::xavier_uniform:
      return "xavier_uniform";
    case Kind::uniform_int:
      return "uniform_int";
    case Kind::file:
      return "file";
    case Kind::values:
      return "values";
    case Kind::rotary_cos:
      return "rotary_cos";
    case Kind::rotary_sin:
      return "rotary_sin";
    case Kind::calibrated_mean:
      return "calibrated_mean";
    case Kind::calibrated_variance:
      return "calibrated_variance";
  }
  throw base::InternalError("unknown initialiser");
}

bool needs_fans(Kind kind) {
  return kind == Kind::kaiming_normal || kind == Kind::kaiming_uniform ||
         kind == Kind::xavier_normal || kind == Kind::xavier_uniform;
}

bool is_calibrated(Kind kind) {
  return kind == Kind::calibrated_mean || kind == Kind::calibrated_variance;
}

Tensor make_values(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const precision::ParallelFor& parallel) {
  check_type(initializer, type, tensor_name);
  if (initializer.kind == Kind::file) return read_values(initializer, shape, type, tensor_name);
  Tensor tensor(shape, type);
  if (initializer.kind == Kind::values) {
    copy_given(initializer, tensor, tensor_name);
    return tensor;
  }
  fill(tensor, Generator(initializer, shape, type, tensor_name, seed), parallel);
  return tensor;
}

void make_elements(const Initializer& initializer, const Shape& shape, ElementType type,
                   const std::string& tensor_name, std::uint64_t seed,
                   const std::vector<std::int64_t>& indices, double* out) {
  if (initializer.kind == Kind::file || initializer.kind == Kind::values) {
    const Tensor whole = make_values(initializer, shape, type, tensor_name, seed);
    for (std::size_t i = 0; i < indices.size(); ++i)
      out[i] = whole.values[static_cast<std::size_t>(indices[i])];
    return;
  }
  check_type(initializer, type, tensor_name);
  Generator(initializer, shape, type, tensor_name, seed).at(indices, out);
}

}  // namespace npusim::workloads
