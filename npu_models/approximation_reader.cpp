// SPDX-License-Identifier: Apache-2.0
#include "npu_models/approximation_reader.h"

#include <cmath>

#include "npu_models/unit_reader.h"
#include "precision/rounding.h"

namespace npusim::npu {
namespace {

using workloads::Approximation;
using workloads::Beyond;
using workloads::Elementary;
using workloads::PieceKind;
using workloads::Reduction;

constexpr std::int64_t kMostSegments = 65536;
constexpr std::size_t kMostCoefficients = 9;

/// A key whose values are the enumerators of E in order.
template <class E>
E named(base::ObjectReader& object, const char* key, const std::vector<std::string>& names,
        std::optional<E> fallback) {
  std::vector<std::pair<std::string, E>> table;
  for (std::size_t i = 0; i < names.size(); ++i) table.emplace_back(names[i], static_cast<E>(i));
  return object.choice<E>(key, table, fallback);
}

std::string counted(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

class Reader {
 public:
  Reader(base::ObjectReader& object, Elementary function) : object_(object) {
    result_.function = function;
  }

  /// Nothing where there were mistakes.
  std::optional<Approximation> read() {
    result_.kind = named<PieceKind>(object_, "kind", workloads::piece_kind_names(), std::nullopt);
    read_reduction();
    result_.coefficient_format = precision::fp32();
    if (const auto format = object_.optional("coefficient_format"))
      result_.coefficient_format = read_format(*format);
    read_breakpoints();
    if (result_.kind == PieceKind::polynomial)
      read_coefficients();
    else
      read_values();
    read_ends();
    object_.finish();
    if (!good_ || object_.self().diagnostics().spoilt(object_.self().pointer())) return {};
    return std::move(result_);
  }

 private:
  void mistake(const base::ValueReader& at, const char* code, std::string message,
               std::string allowed) {
    at.error(code, std::move(message), std::move(allowed));
    good_ = false;
  }

  void read_reduction() {
    std::vector<std::pair<std::string, Reduction>> table;
    for (const Reduction reduction : workloads::reductions_of(result_.function))
      table.emplace_back(workloads::reduction_names()[static_cast<std::size_t>(reduction)],
                         reduction);
    result_.reduction = object_.choice<Reduction>("reduction", table, Reduction::none);
  }

  void read_breakpoints() {
    const auto value = object_.required("breakpoints", "increasing numbers, or from, to, segments");
    if (!value) {
      good_ = false;
      return;
    }
    if (value->json().is_object())
      read_even(*value);
    else
      read_listed(*value);
    if (result_.breakpoints.size() < 2) {
      good_ = false;
      return;
    }
    if (good_) check_cover(*value);
  }

  void read_even(const base::ValueReader& value) {
    base::ObjectReader even(value);
    const double from = even.number("from", {});
    const double to = even.number("to", {});
    const auto segments = static_cast<std::size_t>(even.integer("segments", {1, kMostSegments}));
    even.finish();
    for (std::size_t i = 0; i < segments; ++i)
      result_.breakpoints.push_back(from + (to - from) * static_cast<double>(i) /
                                               static_cast<double>(segments));
    result_.breakpoints.push_back(to);
    if (value.diagnostics().spoilt(value.pointer())) {
      good_ = false;
      return;
    }
    for (std::size_t i = 1; i < result_.breakpoints.size(); ++i) {
      if (result_.breakpoints[i] > result_.breakpoints[i - 1] &&
          std::isfinite(result_.breakpoints[i] - result_.breakpoints[i - 1]))
        continue;
      return mistake(value, "not-increasing",
                     "from " + std::to_string(from) + " to " + std::to_string(to) +
                         " there are no " + counted(segments, "increasing segment"),
                     "from below to, with room for the segments");
    }
  }

  void read_listed(const base::ValueReader& value) {
    const std::vector<base::ValueReader> items = value.array();
    if (items.size() > static_cast<std::size_t>(kMostSegments) + 1)
      mistake(value, "too-many", counted(items.size(), "breakpoint"),
              "at most " + std::to_string(kMostSegments + 1));
    if (value.json().is_array() && items.size() < 2)
      mistake(value, "too-few", counted(items.size(), "breakpoint") + " bound no segment",
              "two or more");
    for (const base::ValueReader& item : items) {
      const double x = item.number({}, 0.0);
      if (!item.json().is_number())
        good_ = false;
      else if (!result_.breakpoints.empty() && !(x > result_.breakpoints.back()))
        mistake(item, "not-increasing", "breakpoints must increase",
                "a number above the one before");
      result_.breakpoints.push_back(x);
    }
  }

  void check_cover(const base::ValueReader& value) {
    const double first = result_.breakpoints.front();
    const double last = result_.breakpoints.back();
    if (result_.reduction == Reduction::symmetry && first != 0.0)
      mistake(value, "not-covered", "with reduction symmetry the segments begin at 0", "0 first");
    if (result_.reduction != Reduction::exponent) return;
    const workloads::Interval all = workloads::reduced_interval(result_.function);
    if (first > all.low || last < all.high)
      mistake(value, "not-covered",
              std::string("with reduction exponent ") + name_of(result_.function) +
                  " is looked up from " + std::to_string(static_cast<int>(all.low)) + " to " +
                  std::to_string(static_cast<int>(all.high)),
              "breakpoints that cover this");
  }

  /// Rounded to the coefficients' format.
  void store(double coefficient, const base::ValueReader& at) {
    const double stored =
        precision::round_to(coefficient, {result_.coefficient_format, precision::Rounding::rne});
    if (!std::isfinite(stored))
      return mistake(at, "not-finite",
                     "a value or slope that is not finite in " + result_.coefficient_format.name,
                     "finite values and slopes, or a wider coefficient_format");
    result_.coefficients.push_back(stored);
  }

  void read_values() {
    const bool table = result_.kind == PieceKind::table;
    result_.terms = table ? 1 : 2;
    std::vector<double> values;
    std::vector<base::ValueReader> places;
    const auto given = object_.optional("values");
    if (given) {
      for (const base::ValueReader& item : given->array()) {
        values.push_back(item.number({}, 0.0));
        places.push_back(item);
      }
    }
    if (!good_) return;
    const std::vector<double>& x = result_.breakpoints;
    const std::size_t wanted = table ? x.size() - 1 : x.size();
    if (!given) {
      for (std::size_t i = 0; i < wanted; ++i)
        values.push_back(workloads::piece_value(result_.function, result_.reduction,
                                                table ? x[i] + (x[i + 1] - x[i]) / 2 : x[i]));
    } else if (!given->json().is_array()) {
      return;
    } else if (values.size() != wanted) {
      return mistake(*given, "wrong-length",
                     counted(values.size(), "value") + " for " + counted(x.size(), "breakpoint"),
                     counted(wanted, "value") + (table ? ": one a segment" : ": one a breakpoint"));
    }
    const std::vector<double> all = table ? values : workloads::interpolation(x, values);
    for (std::size_t i = 0; i < all.size() && (good_ || given); ++i)
      store(all[i], given ? places[i / result_.terms] : object_.self());
  }

  void read_coefficients() {
    result_.origin = named<workloads::Origin>(object_, "origin", workloads::origin_names(),
                                              workloads::Origin::segment);
    const auto value = object_.required("coefficients", "a list of numbers for each segment");
    if (!value) return;
    const std::vector<base::ValueReader> lists = value->array();
    if (!value->json().is_array()) return;
    if (good_ && lists.size() + 1 != result_.breakpoints.size())
      mistake(*value, "wrong-length",
              counted(lists.size(), "list") + " for " +
                  counted(result_.breakpoints.size(), "breakpoint"),
              counted(result_.breakpoints.size() - 1, "list") + ": one a segment");
    for (const base::ValueReader& list : lists) {
      const std::vector<base::ValueReader> numbers = list.array();
      if (!list.json().is_array()) continue;
      if (&list == &lists.front()) result_.terms = numbers.size();
      if (numbers.empty() || numbers.size() > kMostCoefficients ||
          numbers.size() != result_.terms) {
        mistake(list, "wrong-length", counted(numbers.size(), "coefficient"),
                "from 1 to 9, as many as of the first segment");
        continue;
      }
      for (const base::ValueReader& number : numbers) store(number.number({}, 0.0), number);
    }
  }

  void read_ends() {
    const auto& names = workloads::beyond_names();
    // A key that has no meaning here is left for finish() to report.
    if (result_.reduction == Reduction::none)
      result_.below = named<Beyond>(object_, "below", names, Beyond::clamp);
    if (result_.reduction != Reduction::exponent)
      result_.above = named<Beyond>(object_, "above", names, Beyond::clamp);
    if (result_.kind != PieceKind::table) return;
    for (const char* key : {"below", "above"}) {
      const Beyond chosen = key[0] == 'b' ? result_.below : result_.above;
      if (chosen != Beyond::extrapolate) continue;
      object_.error(key, "illegal-combination", "a table of steps has nothing to extrapolate",
                    "clamp, exact");
      good_ = false;
    }
  }

  base::ObjectReader& object_;
  Approximation result_;
  bool good_ = true;
};

}  // namespace

std::shared_ptr<const workloads::Approximations> read_approximations(base::ObjectReader& object) {
  auto section = object.optional_object("approximations");
  if (!section) return nullptr;
  workloads::Approximations all;
  for (std::size_t i = 0; i < workloads::kElementaryFunctions; ++i) {
    auto entry = section->optional_object(workloads::elementary_names()[i]);
    if (!entry) continue;
    if (auto read = Reader(*entry, static_cast<Elementary>(i)).read()) all.set(std::move(*read));
  }
  section->finish();
  return std::make_shared<const workloads::Approximations>(std::move(all));
}

}  // namespace npusim::npu
