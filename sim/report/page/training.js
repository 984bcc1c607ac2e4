// SPDX-License-Identifier: Apache-2.0
// What the page says of a training experiment: recipes against FP32 from the same seed.
'use strict';

const lastOf = list => list.length ? list[list.length - 1] : null;
/** Of a run that came to its end: what it reached. */
const finalOf = (run, key) => run.status === 'ok' && run.evaluations.length ? lastOf(run.evaluations)[key] : null;

/** FP32 first, where it was trained too. */
const trained = result => (result.reference ? [result.reference] : []).concat(result.runs);

/** FP32 has the time and memory of its step on the NPU, where that was simulated. */
const stepOf = (run, result) =>
  run === result.reference && result.speed_up_base && result.speed_up_base.is_fp32_step ? result.speed_up_base : run;

function trainingRuns(result) {
  const milliseconds = seconds => seconds === null ? null : seconds * 1e3;
  return table('Recipes', [
    {title: 'recipe', of: run => run.recipe}, {title: 'status', of: run => run.status + mark(run)},
    {title: 'loss', of: run => finalOf(run, 'loss'), better: 'low'},
    {title: 'accuracy', of: run => finalOf(run, 'accuracy'), better: 'high'},
    {title: 'same as FP32', of: run => run.agreement},
    {title: 'perplexity', of: run => finalOf(run, 'perplexity'), better: 'low'},
    {title: 'perplexity vs FP32', of: run => run.perplexity_difference},
    {title: 'skipped steps', of: run => run.skipped_steps},
    {title: 'step [ms]', of: run => milliseconds(stepOf(run, result).step_seconds), better: 'low'},
    {title: 'speed-up', of: run => run.speed_up, better: 'high'},
    {title: 'memory [bytes]', of: run => stepOf(run, result).memory ? stepOf(run, result).memory.peak_bytes : null, better: 'low'},
    {title: 'loss scaling', of: run => run.loss_scaling || null},
    {title: 'first NaN or infinity', of: run => run.first_nonfinite ? `step ${run.first_nonfinite.step}, ${run.first_nonfinite.op} (${run.first_nonfinite.tensor})` : null},
    {title: 'reason', of: run => run.error || null},
  ], trained(result));
}

/** One line a run over what `listOf` gives, at its steps; steps that a run lacks are gaps. */
function overSteps(title, runs, listOf, key, unit, logarithmic) {
  const steps = [...new Set(runs.flatMap(run => listOf(run).map(item => item.step)))].sort((a, b) => a - b);
  if (!steps.length) return [];
  const byStep = runs.map(run => new Map(listOf(run).map(item => [item.step, item[key]])));
  const at = (i, step) => byStep[i].has(step) ? byStep[i].get(step) : null;
  const series = runs.map((run, i) => ({label: run.recipe + mark(run), values: steps.map(step => at(i, step))}));
  const columns = [{title: 'step', of: step => step}].concat(runs.map((run, i) => ({title: run.recipe + mark(run), of: step => at(i, step)})));
  return [lines(title, steps, series, unit, logarithmic, table(title, columns, steps))];
}

function gradientTable(run) {
  const share = key => row => row.count ? row[key] / row.count : null;
  const scaleOf = row => row.scales.find(scale => scale.scale === 32768);
  return table('Gradients: ' + run.recipe, [
    {title: 'step', of: row => row.step}, {title: 'tensor', of: row => row.tensor}, {title: 'format', of: row => row.format},
    {title: 'elements', of: row => row.count}, {title: 'zero', of: share('zeros')}, {title: 'flushed', of: share('flushed')},
    {title: 'subnormal', of: share('subnormal')}, {title: 'overflow', of: share('overflowed')}, {title: 'NaN or infinite', of: share('nonfinite')},
    {title: 'masked', of: share('masked')},
    {title: 'recovered by 32768', of: row => row.flushed ? scaleOf(row).recovered / row.flushed : null},
    {title: 'overflow by 32768', of: row => row.count ? scaleOf(row).overflowing / row.count : null},
    {title: 'signed bias', of: row => row.signed_bias},
  ], run.gradients);
}

function updateTable(run) {
  const share = key => row => row.with_gradient ? row[key] / row.with_gradient : null;
  return table('Updates: ' + run.recipe, [
    {title: 'step', of: row => row.step}, {title: 'weights', of: row => row.weights}, {title: 'with a gradient', of: row => row.with_gradient},
    {title: 'stalled', of: share('stalled')}, {title: '|w| >= 2048 |dw|', of: share('small_updates')},
    {title: 'working from master weights', of: row => row.working_drift},
  ], run.updates);
}

/** How many elements of each tensor have which exponent, at the last step that was looked at. */
function exponentHistogram(run) {
  const step = lastOf(run.gradients).step;
  const rows = run.gradients.filter(row => row.step === step);
  const exponents = [...new Set(rows.flatMap(row => Object.keys(row.exponents).map(Number)))].sort((a, b) => a - b);
  const of = (row, exponent) => row.exponents[exponent] || 0;
  const title = `Exponents of gradients at step ${step}: ${run.recipe}`;
  const columns = [{title: 'exponent', of: exponent => exponent}]
    .concat(rows.map(row => ({title: row.tensor, of: exponent => of(row, exponent)})));
  return stackedBars(title, exponents, rows.map(row => ({label: row.tensor, values: exponents.map(exponent => of(row, exponent))})),
    'elements', table(title, columns, exponents));
}

function gradients(run) {
  const made = element('details', {class: 'run'}, element('summary', {}, run.recipe));
  made.addEventListener('toggle', () => {
    if (!made.open) return;
    if (made.childElementCount === 1) made.append(exponentHistogram(run), gradientTable(run), updateTable(run));
    drawFigures(made);
  });
  return made;
}

/** What speed-ups are against. */
function speedNote(base) {
  if (!base) return '';
  return base.is_fp32_step ? '; speed-up is against FP32 on the NPU'
    : `; speed-up is against ${base.recipe}, the slowest here${base.reason ? ': ' + base.reason : ''}`;
}

function trainingSections(result) {
  const runs = trained(result);
  const scaled = runs.filter(run => run.loss_scaling);
  return [
    ...section('recipes', 'Recipes', `${result.workload} on ${result.npu}, ${result.data}, batch ${result.batch}, seed ${result.seed}${speedNote(result.speed_up_base)}`, [trainingRuns(result)]),
    ...section('hypothetical', 'Hypothetical', hypotheticalNote, hypothetical(runs)),
    ...section('loss', 'Loss', null, [
      ...overSteps('Loss of each step', runs, run => run.steps, 'loss', 'loss', false),
      ...overSteps('Accuracy on the test samples', runs, run => run.evaluations, 'accuracy', 'share of labels', false)]),
    ...section('scale', 'Loss scale', 'A step that overflows is skipped and halves a dynamic scale.',
      overSteps('Loss scale', scaled, run => run.steps, 'loss_scale', 'scale', true)),
    ...section('gradients', 'Gradients', 'Open a recipe.', runs.filter(run => run.gradients.length).map(gradients)),
  ];
}
