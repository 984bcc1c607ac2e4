// SPDX-License-Identifier: Apache-2.0
// Commands of the arithmetic alone.
#include <CLI/CLI.hpp>

#include "precision/block_format.h"
#include "precision/rounding.h"
#include "tools/cli/define.h"
#include "tools/commands.h"

namespace npusim::tools {

void define_formats(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "formats", "Number formats compared", "npusim formats fp16 bf16 e4m3");
  auto arguments = command(sub, chosen, formats);
  sub.add_option("names", arguments->names, "Formats (default: all named ones); any eXmY");
  add_json(sub, arguments->common);
  add_csv(sub, arguments->common);
  add_markdown(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_quantize(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(app, "quantize", "Round an array to a format",
                              "npusim quantize --format bf16 -i x.npy -o y.npy\n"
                              "  npusim quantize --format mxfp4 --axis 0 -i w.npy -o q.npy");
  auto arguments = command(sub, chosen, quantize);
  sub.add_option("--format", arguments->format,
                 "A named format, any eXmY, or a block-scaled one (mxfp8_e4m3, nvfp4, bfp16m8, "
                 "int8_block32, ...)")
      ->required()
      ->type_name("NAME");
  sub.add_option("--rounding", arguments->rounding, "Default rne")
      ->type_name("MODE")
      ->check(CLI::IsMember(precision::rounding_names()));
  sub.add_option("--random-bits", arguments->random_bits,
                 "With sr: how many random bits decide (1..32); they depend on seed and index only")
      ->type_name("N")
      ->check(CLI::Range(1, 32));
  sub.add_option("--seed", arguments->common.seed, "With sr: default 0")->type_name("S");
  sub.add_option("--subnormals", arguments->subnormals, "Default: keep")
      ->type_name("RULE")
      ->check(CLI::IsMember(precision::subnormals_names()));
  sub.add_option("--overflow", arguments->overflow, "Default: the format's own")
      ->type_name("RULE")
      ->check(CLI::IsMember(precision::overflow_names()));
  sub.add_option("--daz", arguments->daz, "Read subnormals of this format as zeros")
      ->type_name("NAME");
  sub.add_option("--axis", arguments->axis,
                 "Of block-scaled formats: the axis along which blocks run (default: the last)")
      ->type_name("N");
  sub.add_option("--scale-rounding", arguments->scale_rounding,
                 "Of block-scaled formats: floor, ceil or rne (default: the format's own)")
      ->type_name("MODE")
      ->check(CLI::IsMember(precision::scale_rounding_names()));
  sub.add_option("-i,--input", arguments->input, "Array to round")->required()->type_name("X.npy");
  sub.add_option("-o,--output", arguments->output, "Rounded array, of the same shape")
      ->required()
      ->type_name("Y.npy");
  add_quiet(sub, arguments->common);
}

void define_dot(CLI::App& app, Chosen& chosen) {
  CLI::App& sub =
      add_command(app, "dot", "Row-wise dot products through a MAC unit, bit for bit",
                  "npusim dot --unit fp16_chain --a a.npy --b b.npy --c c.npy -o d.npy");
  auto arguments = command(sub, chosen, dot);
  sub.add_option("--unit", arguments->unit, "MAC unit")->required()->type_name("FILE|NAME");
  sub.add_option("--a", arguments->a, "First operand, shape (n, k)")
      ->required()
      ->type_name("A.npy");
  sub.add_option("--b", arguments->b, "Second operand, shape (n, k)")
      ->required()
      ->type_name("B.npy");
  sub.add_option("--c", arguments->c, "Start of each sum, shape (n) (default +0)")
      ->type_name("C.npy");
  sub.add_option(
         "--a-scales", arguments->a_scales,
         "Scales of a's blocks, shape (n, blocks): units with block scales, which they need")
      ->type_name("S.npy");
  sub.add_option("--b-scales", arguments->b_scales, "Scales of b's blocks")->type_name("S.npy");
  sub.add_option("-o,--output", arguments->output, "Results, float32, shape (n)")
      ->required()
      ->type_name("D.npy");
  sub.add_flag("--round-inputs", arguments->round_inputs,
               "Round values that the unit's formats do not have; without it they are errors");
  add_overrides(sub, arguments->common, "unit");
  add_print_config(sub, arguments->common);
  add_seed(sub, arguments->common);
  add_jobs(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

void define_explain(CLI::App& app, Chosen& chosen) {
  CLI::App& sub = add_command(
      app, "explain", "One dot product through a MAC unit, step by step, next to the exact result",
      "npusim explain --unit nvidia_h100_fp16_fp32 --a 1,0.5,3 --b 2,1e-4,0.25 --c 100");
  auto arguments = command(sub, chosen, explain);
  sub.add_option("--unit", arguments->unit, "MAC unit")->required()->type_name("FILE|NAME");
  sub.add_option("--a", arguments->a, "First operand: values with commas between, or an array")
      ->required()
      ->type_name("X,Y,...|A.npy");
  sub.add_option("--b", arguments->b, "Second operand, as long")
      ->required()
      ->type_name("X,Y,...|B.npy");
  sub.add_option("--c", arguments->c, "Start of the sum (default +0)")->type_name("X|C.npy");
  sub.add_option("--a-scales", arguments->a_scales,
                 "Scales of a's blocks, with commas between: units with block scales")
      ->type_name("X,Y,...");
  sub.add_option("--b-scales", arguments->b_scales, "Scales of b's blocks")->type_name("X,Y,...");
  sub.add_option("--row", arguments->row, "Row of the arrays (default 0)")
      ->type_name("N")
      ->check(CLI::NonNegativeNumber);
  sub.add_flag("--round-inputs", arguments->round_inputs,
               "Round values that the unit's formats do not have; without it they are errors");
  add_json(sub, arguments->common);
  add_overrides(sub, arguments->common, "unit");
  add_seed(sub, arguments->common);
  add_quiet(sub, arguments->common);
}

}  // namespace npusim::tools
