// SPDX-License-Identifier: Apache-2.0
#include "unit_models.h"

#include <algorithm>

#include "model_aligned.h"
#include "model_chains.h"

namespace npusim::precision::model {
namespace {

using Models = std::map<std::string, UnitModel>;

constexpr Rule kNearest32{kFp32}, kNearest16{kFp16}, kNearestBf16{kBf16}, kNearest169{kE6m9};
constexpr Rule kTruncated32{kFp32, Mode::toward_zero}, kTruncated8m13{kE8m13, Mode::toward_zero};

UnitModel aligned(const TFdpa& unit) {
  return [unit](const Dot& dot) { return t_fdpa_chain(unit, dot); };
}

/// FP16, BF16 and TF32 of one generation: block of 16-bit terms, F, floors for fp32 and fp16.
void add_tensor_core(Models& models, const std::string& chip, int terms, int fraction_bits,
                     std::optional<int> floor32, std::optional<int> floor16, bool has_bf16) {
  const std::string name = "nvidia_" + chip;
  models[name + "_fp16_fp32"] =
      aligned({kFp16, terms, fraction_bits, kTruncated32, kFp32, floor32});
  models[name + "_fp16_fp16"] = aligned({kFp16, terms, fraction_bits, kNearest16, kFp16, floor16});
  if (!has_bf16) return;
  models[name + "_bf16_fp32"] =
      aligned({kBf16, terms, fraction_bits, kTruncated32, kFp32, floor32});
  models[name + "_tf32_fp32"] =
      aligned({kTf32, terms / 2, fraction_bits, kTruncated32, kFp32, floor32});
}

struct Fp8 {
  const char* name;
  Float format;
};
constexpr Fp8 kFp8[] = {{"e4m3", kE4m3}, {"e5m2", kE5m2}};

void add_fp8(Models& models) {
  for (const Fp8& fp8 : kFp8) {
    const std::string in = fp8.name;
    const Float& f = fp8.format;
    models["nvidia_ada_" + in + "_fp32"] = aligned({f, 16, 13, kTruncated8m13, kFp32, -132});
    models["nvidia_ada_" + in + "_fp16"] = aligned({f, 16, 13, kNearest16, kFp16, -20});
    models["nvidia_h100_" + in + "_fp32"] = aligned({f, 32, 13, kTruncated8m13, kFp32, -133});
    models["nvidia_b200_" + in + "_fp32"] = aligned({f, 32, 25, kTruncated32, kFp32, -133});
    const UnitModel to_fp16 = [f](const Dot& dot) {
      return mma_fp8_chain({f, 16, 25, kNearest16, kFp16, -21}, kNearest16, dot);
    };
    models["nvidia_h100_" + in + "_fp16"] = models["nvidia_b200_mma_" + in + "_fp16"] = to_fp16;
    models["nvidia_b200_mma_" + in + "_fp32"] = [f](const Dot& dot) {
      return mma_fp8_chain({f, 16, 25, kTruncated32, kFp32, -133}, kNearest32, dot);
    };
  }
  models["nvidia_h100_e4m3_e5m2_fp32"] =
      aligned({kE4m3, 32, 13, kTruncated8m13, kFp32, -133, kE5m2});
  models["nvidia_h100_e5m2_e4m3_fp32"] =
      aligned({kE5m2, 32, 13, kTruncated8m13, kFp32, -133, kE4m3});
}

void add_block_scaled(Models& models) {
  const auto add = [&models](const char* name, const Float& f) {
    models[std::string("nvidia_b200_") + name + "_fp32"] = [f](const Dot& dot) {
      return scaled_t_fdpa_chain({f, 32, 25, kTruncated32, kFp32, -126}, dot);
    };
  };
  add("mxfp8_e4m3", kE4m3);
  add("mxfp8_e5m2", kE5m2);
  add("mxfp6_e2m3", kE2m3);
  add("mxfp6_e3m2", kE3m2);
  add("mxfp4", kE2m1);
  const TFdpa groups{kE2m1, 4, 35, kTruncated32, kFp32, -126};
  models["nvidia_b200_nvfp4_fp32"] = [groups](const Dot& dot) {
    return scaled_groups_chain(groups, kE4m3, dot);
  };
  models["nvidia_b200_mxf4_fp32"] = [groups](const Dot& dot) {
    return scaled_groups_chain(groups, {1, -127, 127}, dot);
  };
}

void add_nvidia(Models& models) {
  add_tensor_core(models, "v100", 4, 23, {}, -19, false);
  add_tensor_core(models, "t4", 8, 24, {}, {}, false);
  add_tensor_core(models, "a100", 8, 24, -132, -20, true);
  add_tensor_core(models, "ada", 8, 24, -132, -20, true);
  add_tensor_core(models, "h100", 16, 25, -133, -21, true);
  add_tensor_core(models, "b200", 16, 25, -133, -21, true);
  add_fp8(models);
  add_block_scaled(models);
  models["nvidia_a100_fp64_fp64"] = models["nvidia_h100_fp64_fp64"] = binary64_chain;
  // DeepSeek-V3: Hopper's FP8 sums of 128 terms from zero, added in fp32.
  models["deepseek_h800_fp8_e4m3_fp32"] = [](const Dot& dot) {
    const Group promoted = [](const Values& a, const Values& b) {
      return t_fdpa_chain({kE4m3, 32, 13, kTruncated8m13, kFp32, -133}, a.data(), b.data(),
                          a.size(), 0.0);
    };
    return add_groups(kNearest32, 128, promoted, dot);
  };
  // Its blocks: the product of both FP32 scales, rounded, times the sum in the same addition.
  models["deepseek_h800_fp8_e4m3_blocks_fp32"] = [](const Dot& dot) {
    double c = dot.c;
    for (std::size_t first = 0; first < dot.a.size(); first += 128) {
      const double sum =
          t_fdpa_chain({kE4m3, 32, 13, kTruncated8m13, kFp32, -133}, dot.a.data() + first,
                       dot.b.data() + first, std::min<std::size_t>(128, dot.a.size() - first), 0.0);
      const double scale =
          LongSum().add_product(dot.a_scales[first], dot.b_scales[first]).rounded(kNearest32);
      c = LongSum().add_product(sum, scale).add(c).rounded(kNearest32);
    }
    return c;
  };
}

UnitModel pairwise(const Rule& rule, std::size_t terms) {
  return [rule, terms](const Dot& dot) {
    const Group tree = [&rule](const Values& a, const Values& b) {
      return product_tree(rule, rule, a, b);
    };
    return add_groups(rule, terms, tree, dot);
  };
}

UnitModel exact(const Rule& rule, std::size_t terms) {
  return [rule, terms](const Dot& dot) { return exact_groups(rule, terms, dot); };
}

UnitModel with_flushed(const Float& operands, bool c_too, const UnitModel& model) {
  return [operands, c_too, model](const Dot& dot) {
    const Dot d = flushed(dot, operands);
    return model(c_too ? flushed_c(d) : d);
  };
}

void add_amd(Models& models) {
  models["amd_cdna_fp32_fp32"] = exact(kNearest32, 1);
  models["amd_cdna_fp64_fp64"] = binary64_chain;
  models["amd_cdna1_fp16_fp32_exact"] = exact(kNearest32, 4);
  models["amd_cdna1_bf16_fp32_exact"] = exact(kNearest32, 2);
  models["amd_cdna1_fp16_fp32_pairwise"] = pairwise(kNearest32, 4);
  models["amd_cdna1_bf16_fp32_pairwise"] = pairwise(kNearest32, 2);
  const Rule flushing{kFp32, Mode::nearest_even, Tiny::flush_rounded};
  models["amd_cdna2_fp16_fp32"] = with_flushed(kFp16, true, pairwise(flushing, 4));
  models["amd_cdna2_bf16_fp32"] = with_flushed(kBf16, true, pairwise(flushing, 2));
  models["amd_cdna2_bf16_1k_fp32"] = with_flushed(kBf16, true, pairwise(flushing, 4));
  const auto floor_aligned = [](const Float& f, int terms) {
    return [f, terms](const Dot& dot) { return tr_fdpa_chain(f, terms, dot); };
  };
  models["amd_cdna3_fp16_fp32"] = floor_aligned(kFp16, 8);
  models["amd_cdna3_bf16_fp32"] = floor_aligned(kBf16, 8);
  models["amd_cdna3_xf32_fp32"] = floor_aligned(kTf32, 4);
  models["amd_cdna3_fp8_fp32"] = [](const Dot& d) { return tr_fdpa_fp8_chain(kE4m3Fnuz, d); };
  models["amd_cdna3_bf8_fp32"] = [](const Dot& d) { return tr_fdpa_fp8_chain(kE5m2Fnuz, d); };
}

void add_cpus(Models& models) {
  models["intel_avx512_bf16_fp32"] = vdpbf16ps;
  models["intel_avx512_fp16_fp16"] = exact(kNearest16, 1);
  models["intel_amx_bf16_fp32"] = [](const Dot& dot) { return amx(flushed(dot, kBf16), 32); };
  models["intel_amx_fp16_fp32"] = [](const Dot& dot) { return amx(dot, 32); };
  models["arm_bfdot_bf16_fp32"] = bfdot;
  models["arm_bfdot_ebf_bf16_fp32"] = [](const Dot& dot) {
    const Group pair = [](const Values& a, const Values& b) {
      return exact_group(kNearest32, a, b);
    };
    return add_groups(kNearest32, 2, pair, dot);
  };
}

/// A chain from +0 inside the mesh, its sum added in a wider memory.
UnitModel mesh(const Rule& inside, std::size_t rows) {
  return [inside, rows](const Dot& dot) {
    const Group chain = [&inside](const Values& a, const Values& b) {
      return fused_chain(inside, a, b, 0.0);
    };
    return add_groups(kNearest32, rows, chain, dot);
  };
}

UnitModel trees(const Rule& rule, std::size_t terms) {
  return [rule, terms](const Dot& dot) {
    const Group tree = [&rule](const Values& a, const Values& b) { return fused_tree(rule, a, b); };
    return add_groups(rule, terms, tree, dot);
  };
}

/// Chains whose first sum is the rounded first product, not an addition to zero.
UnitModel stored_chains(const Rule& inner, const Rule& outer, std::size_t terms) {
  return [inner, outer, terms](const Dot& dot) {
    const Group chain = [&inner](const Values& a, const Values& b) {
      const double first = LongSum().add_product(a[0], b[0]).rounded(inner);
      return fused_chain(inner, {a.begin() + 1, a.end()}, {b.begin() + 1, b.end()}, first);
    };
    return add_groups(outer, terms, chain, dot);
  };
}

UnitModel fidelity_phases(const Passes& phases) {
  const Slicing slices{{kE8m4, Mode::toward_zero}, {kE8m6, Mode::toward_zero}, phases};
  return [slices](const Dot& dot) { return pass_after_pass(slices, exact(kNearest32, 16), dot); };
}

void add_npus(Models& models) {
  models["gemmini_fp32_fp32"] = mesh(kNearest32, 4);
  models["gemmini_fp16_fp32"] = mesh(kNearest16, 4);
  models["gemmini_bf16_fp32"] = mesh(kNearestBf16, 4);
  models["nvdla_fp16_fp32"] = exact({kFp32, Mode::nearest_even, Tiny::keep, Over::largest}, 64);
  models["google_tpu_v2_bf16_fp32"] = models["google_tpu_v3_bf16_fp32"] =
      with_flushed(kBf16, false, exact(kNearest32, 1));
  models["google_tpu_v4_bf16_fp32"] = with_flushed(kBf16, false, exact(kNearest32, 4));
  models["aws_trainium_bf16_fp32"] = models["aws_trainium_fp16_fp32"] =
      stored_chains(kNearest32, kNearest32, 128);
  models["graphcore_mk2_fp16_fp16"] = exact(kNearest16, 16);
  models["graphcore_mk2_fp16_fp16_sr"] =
      exact({kFp16, Mode::stochastic, Tiny::keep, Over::infinity, 16}, 16);
  models["graphcore_mk2_fp16_fp32"] = exact(kNearest32, 16);
  models["huawei_ascend_fp16_fp16"] = trees(kNearest16, 16);
  models["huawei_ascend_fp16_fp32"] = trees(kNearest32, 16);
  models["apple_ane_m1_fp16_fp32"] = with_flushed(kFp16, false, [](const Dot& dot) {
    const Group group = [](const Values& a, const Values& b) {
      return exact_group({kFp16, Mode::nearest_even, Tiny::flush_rounded}, a, b);
    };
    return add_groups(kNearest32, 4, group, dot);
  });
  const std::string wormhole = "tenstorrent_wormhole_bf16_fp32_";
  models[wormhole + "lofi"] = fidelity_phases({{0, 0}});
  models[wormhole + "hifi2"] = fidelity_phases({{0, 0}, {1, 0}});
  models[wormhole + "hifi3"] = fidelity_phases({{0, 0}, {1, 0}, {0, 1}});
  models[wormhole + "hifi4"] = fidelity_phases({{0, 0}, {1, 0}, {0, 1}, {1, 1}});
}

UnitModel bf16_slices(const Passes& passes) {
  return [slices = Slicing{kNearestBf16, kNearestBf16, passes}](const Dot& dot) {
    return pass_after_pass(slices, exact(kNearest32, 1), dot);
  };
}

void add_textbook(Models& models) {
  models["fp32_chain"] = models["fp16_fp32_chain"] = models["bf16_fp32_chain"] =
      exact(kNearest32, 1);
  models["fp16_chain"] = exact(kNearest16, 1);
  models["bf16_chain"] = exact(kNearestBf16, 1);
  models["fp16_chain_sr"] = exact({kFp16, Mode::stochastic, Tiny::keep, Over::infinity, 12}, 1);
  models["bf16_chain_sr"] = exact({kBf16, Mode::stochastic, Tiny::keep, Over::infinity, 12}, 1);
  models["fp16_chain_unfused"] = [](const Dot& dot) {
    return unfused_chain(kNearest16, kNearest16, dot.a, dot.b, dot.c);
  };
  models["fp16_fp16_tree16"] = trees(kNearest16, 16);
  models["fp16_fp32_tree16"] = trees(kNearest32, 16);
  models["fp16_fp32_tree64"] = trees(kNearest32, 64);
  models["fp32_exact"] = [](const Dot& dot) { return exact_groups(kNearest32, dot.a.size(), dot); };
  models["wang_fp8_chunk64"] = stored_chains(kNearest169, kNearest169, 64);
  models["fp32_bf16x3"] = bf16_slices({{0, 0}, {0, 1}, {1, 0}});
  models["fp32_bf16x6"] = bf16_slices({{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {2, 0}});
  models["fp32_bf16x9"] =
      bf16_slices({{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 2}});
  models["fp32_bf16_fp32"] = [](const Dot& dot) {
    return passes_of_a_term({kNearestBf16, kNearestBf16, {{0, 0}, {1, 0}, {2, 0}}},
                            exact(kNearest32, 1), dot);
  };
}

Models all_models() {
  Models models;
  add_nvidia(models);
  add_amd(models);
  add_cpus(models);
  add_npus(models);
  add_textbook(models);
  return models;
}

}  // namespace

const std::map<std::string, UnitModel>& unit_models() {
  static const Models models = all_models();
  return models;
}

}  // namespace npusim::precision::model
