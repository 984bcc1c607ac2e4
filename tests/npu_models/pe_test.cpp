// SPDX-License-Identifier: Apache-2.0
// Clocked elements against the closed forms (cycles) and against the reduction plan that the
// mapping emits (bits): 2,400 random cases of shape, array, dataflow, options, formats, bias and
// cuts of K. Each child elaborates one array and runs several cases on it one after the other.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>
#include <systemc>

#include "base/isolated.h"
#include "npu_models/gemm_plan.h"
#include "npu_models/organisation.h"
#include "npu_models/pe/pe_engine.h"
#include "precision/reduction_plan.h"
#include "random.h"

namespace npusim::npu::pe {
namespace {

constexpr std::size_t kArrays = 400;
constexpr int kCasesEach = 6;

using testing::Random;

precision::Arithmetic random_arithmetic(Random& random) {
  using precision::Rounding;
  precision::Arithmetic arithmetic{
      precision::format_from_name(random.of({"fp32", "fp16", "bf16", "e5m10"})),
      random.of({Rounding::rne, Rounding::rtz, Rounding::rna, Rounding::rd})};
  if (random.flip()) arithmetic.format.subnormals = precision::Subnormals::flush;
  return arithmetic;
}

struct Case {
  MacArraySpec array;
  precision::MacUnit unit;
};

Case random_systolic(Random& random) {
  Case made;
  MacArraySpec& array = made.array;
  array.organisation = "systolic";
  array.rows = random.in(1, 5);
  array.cols = random.in(1, 5);
  array.dataflow = random.of(
      {Dataflow::weight_stationary, Dataflow::input_stationary, Dataflow::output_stationary});
  array.partial_sums = random.of({PartialSums::accumulate_below, PartialSums::reinject_above});
  array.fold_overlap = random.flip();
  array.preload_hiding = random.flip();
  array.preload_skew = random.flip();
  if (random.flip()) array.fold_gap_cycles = random.in(1, 9);
  array.swap = random.of({Swap::wavefront, Swap::all_at_once});
  array.drain = random.of({Drain::shift, Drain::direct});
  array.completion = random.of({Completion::leaves_array, Completion::written});
  if (array.dataflow == Dataflow::output_stationary) {
    array.outputs_per_pe = random.in(1, 4);
    array.partial_sums_per_output = random.in(1, 3);
  }
  made.unit.stages = {{0, precision::Combine::chain, random_arithmetic(random)}};
  return made;
}

Case random_block(Random& random) {
  Case made;
  MacArraySpec& array = made.array;
  array.organisation = random.of({"cube", "dot_product"});
  array.rows = random.in(1, 4);
  array.cols = array.organisation == "cube" ? random.in(1, 4) : 1;
  array.depth = random.of<std::int64_t>({1, 2, 4, 8});
  array.partial_sums_per_output = random.in(1, 3);
  const precision::Arithmetic sums = random_arithmetic(random);
  precision::Stage last{0, precision::Combine::chain, sums};
  if (array.depth > 1 && random.flip()) {
    last.combine = precision::Combine::aligned;
    array.partial_sums_per_output = 1;
    last.step = array.depth;
    last.alignment.fraction_bits = static_cast<int>(random.in(10, 24));
  } else if (array.depth > 1) {
    made.unit.stages.push_back(
        {array.depth, random.of({precision::Combine::tree, precision::Combine::chain}), sums});
  }
  made.unit.stages.push_back(last);
  array.inner_stages.assign(made.unit.stages.begin(), made.unit.stages.end() - 1);
  array.accumulator.stage = last;
  return made;
}

Case random_case(Random& random) {
  Case made = random.in(0, 2) < 2 ? random_systolic(random) : random_block(random);
  made.unit.a = precision::format_from_name(random.of({"bf16", "fp16", "fp8_e4m3", "fp8_e5m2"}));
  made.unit.b = precision::format_from_name(random.of({"bf16", "fp16", "fp8_e4m3"}));
  if (random.in(0, 3) == 0) made.unit.product = random_arithmetic(random);
  made.unit.flush_a = random.flip();
  made.array.accumulator.bias = precision::BiasEntry::preload;
  made.array.order = find_organisation(made.array.organisation)->default_order(made.array);
  return made;
}

double random_value(Random& random, const precision::Format& format) {
  if (random.in(0, 15) == 0) return 0.0;
  const double digits = static_cast<double>(random.in(-1000000, 1000000)) * 1e-6;
  return precision::round_to(std::ldexp(digits, static_cast<int>(random.in(-9, 6))), format,
                             precision::Rounding::rne);
}

std::vector<double> random_values(Random& random, const precision::Format& format,
                                  std::int64_t count) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(random_value(random, format));
  return values;
}

workloads::Contraction random_contraction(Random& random) {
  workloads::Contraction c;
  c.m = random.in(1, 12);
  c.n = random.in(1, 9);
  c.dims = {{"K", random.in(1, 20)}};
  if (random.flip()) {
    c.role = workloads::GemmRole::fprop;
    c.dims = {{"C", random.in(1, 9)}, {"R", random.in(1, 2)}, {"S", random.in(1, 2)}};
  }
  c.bias_input = random.flip() ? 2 : -1;
  return c;
}

bool same_bits(double x, double y) {
  return (std::isnan(x) && std::isnan(y)) || std::memcmp(&x, &y, sizeof x) == 0;
}

/// Operand rows in the order of K that tiles see.
std::vector<double> ordered(const std::vector<double>& rows, std::int64_t count,
                            const std::vector<std::int64_t>& order, std::int64_t terms) {
  std::vector<double> result;
  for (std::int64_t row = 0; row < count; ++row)
    for (const std::int64_t k : order)
      result.push_back(k < 0 ? 0.0 : rows[static_cast<std::size_t>(row * terms + k)]);
  return result;
}

std::vector<double> columns(const std::vector<double>& rows, std::int64_t count, std::int64_t terms,
                            std::int64_t begin, std::int64_t width) {
  std::vector<double> result;
  for (std::int64_t row = 0; row < count; ++row)
    for (std::int64_t k = begin; k < begin + width; ++k)
      result.push_back(rows[static_cast<std::size_t>(row * terms + k)]);
  return result;
}

/// One product on the elements; what is wrong with it, or "".
std::string run_case(Random& random, const Case& made, PeEngine& engine) {
  const workloads::Contraction c = random_contraction(random);
  const Organisation& organisation = *find_organisation(made.array.organisation);
  const precision::Arithmetic& accumulator = made.unit.accumulator();
  precision::ReductionPlan plan = array_plan(made.array, c, accumulator);
  const std::vector<std::int64_t> order = precision::expand_order(plan);
  const auto k = static_cast<std::int64_t>(order.size());
  const std::int64_t granule = organisation.granule(made.array).k;
  const std::int64_t tile_k = std::min(k, granule * random.in(1, (k + granule - 1) / granule));
  cut_at_tiles(made.array, tile_k, accumulator, plan);
  precision::validate(plan, made.unit);

  const std::int64_t terms = c.k();
  const std::vector<double> a = random_values(random, made.unit.a, c.m * terms);
  const std::vector<double> b = random_values(random, made.unit.b, c.n * terms);
  const std::vector<double> bias = random_values(random, accumulator.format, c.n);
  const bool has_bias = c.bias_input >= 0;
  std::vector<double> sums(static_cast<std::size_t>(c.m * c.n), 0.0);
  for (std::size_t i = 0; has_bias && i < sums.size(); ++i)
    sums[i] = precision::round_to(bias[i % static_cast<std::size_t>(c.n)],
                                  precision::bias_arithmetic(made.unit));
  const std::vector<double> a_rows = ordered(a, c.m, order, terms);
  const std::vector<double> b_rows = ordered(b, c.n, order, terms);
  const std::int64_t rate = random.in(1, 3), latency = random.in(1, 5);

  std::ostringstream wrong;
  for (std::int64_t k0 = 0; k0 < k; k0 += tile_k) {
    const TileShape shape{c.m, c.n, std::min(tile_k, k - k0)};
    const std::vector<double> a_tile = columns(a_rows, c.m, k, k0, shape.k);
    const std::vector<double> b_tile = columns(b_rows, c.n, k, k0, shape.k);
    const std::int64_t cycles = engine.run({{shape, &made.unit, rate, latency, a_tile.data(),
                                             b_tile.data(), sums.data(), has_bias || k0 > 0}});
    const std::int64_t closed = organisation.tile_cycles(made.array, rate, latency, shape).total();
    if (cycles != closed)
      wrong << shape.m << "x" << shape.n << "x" << shape.k << " rate " << rate << " latency "
            << latency << ": " << cycles << " cycles, closed form " << closed << "\n";
  }
  for (std::int64_t m = 0; m < c.m; ++m) {
    for (std::int64_t n = 0; n < c.n; ++n) {
      const double planned =
          precision::planned_dot(made.unit, plan, a.data() + m * terms, b.data() + n * terms,
                                 has_bias ? &bias[static_cast<std::size_t>(n)] : nullptr);
      const double sum = sums[static_cast<std::size_t>(m * c.n + n)];
      if (!same_bits(sum, planned))
        wrong << m << "," << n << ": " << sum << ", planned " << planned << " ("
              << precision::describe(plan) << ")\n";
    }
  }
  return wrong.str();
}

/// Runs a body in an SC_THREAD, to its end.
class Driver : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Driver);
  Driver(const sc_core::sc_module_name& name, std::function<void()> body)
      : sc_core::sc_module(name), body_(std::move(body)) {
    SC_THREAD(run);
  }
  bool ended = false;

 private:
  void run() {
    body_();
    ended = true;
  }
  std::function<void()> body_;
};

std::string describe(const MacArraySpec& array) {
  std::ostringstream text;
  text << array.organisation << " " << array.rows << "x" << array.cols << "x" << array.depth
       << " dataflow " << static_cast<int>(array.dataflow) << " sums "
       << static_cast<int>(array.partial_sums) << " overlap " << array.fold_overlap << " hiding "
       << array.preload_hiding << " skew " << array.preload_skew << " gap " << array.fold_gap_cycles
       << " swap " << static_cast<int>(array.swap) << " drain " << static_cast<int>(array.drain)
       << " completion " << static_cast<int>(array.completion) << " outputs "
       << array.outputs_per_pe << " partial sums " << array.partial_sums_per_output << "\n";
  return text.str();
}

/// Cases of one array in this process; what is wrong, or "".
std::string run_array(std::size_t seed, const std::optional<WaveformOptions>& waveform = {}) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  Random random(seed);
  const Case made = random_case(random);
  precision::validate(made.unit);
  for (const base::Diagnostic& mistake :
       find_organisation(made.array.organisation)->check(made.array))
    return mistake.message;
  const std::string refused = why_not(made.array, made.unit);
  if (!refused.empty()) return refused;
  std::string wrong;
  PeEngine engine(made.array, 1, waveform);
  Driver driver("driver", [&] {
    for (int i = 0; i < kCasesEach; ++i) wrong += run_case(random, made, engine);
  });
  sc_core::sc_start();
  if (!driver.ended) return "the simulation did not end";
  return wrong.empty() ? wrong : describe(made.array) + wrong;
}

TEST(PeFidelity, CyclesAndBitsOfRandomCasesEqualClosedFormAndPlan) {
  static_assert(kArrays * kCasesEach >= 2000);
  const std::vector<base::IsolatedOutcome> outcomes =
      base::run_isolated(kArrays, 2, [](std::size_t i) { return run_array(i); });
  int shown = 0;
  for (std::size_t i = 0; i < outcomes.size() && shown < 8; ++i) {
    if (outcomes[i].ok && outcomes[i].payload.empty()) continue;
    ++shown;
    ADD_FAILURE() << "seed " << i << ": " << outcomes[i].error << outcomes[i].payload;
  }
}

}  // namespace
}  // namespace npusim::npu::pe
