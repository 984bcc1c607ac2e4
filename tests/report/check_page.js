// SPDX-License-Identifier: Apache-2.0
// Appended to a report by test_page.py: opens everything, then holds tables and charts against the result's
// JSON. What is wrong goes to <pre id="verdict">, one line each, after "checked".
'use strict';

const wrong = [];
addEventListener('error', event => wrong.push('error: ' + event.message));

function expectSame(what, got, want) {
  if (JSON.stringify(got) !== JSON.stringify(want))
    wrong.push(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

/** The cells of a column, as the values behind them. */
function cells(root, caption, title) {
  const found = root.querySelector(`table[aria-label="${caption}"]`);
  const index = [...found.querySelectorAll('thead th')].findIndex(header => header.textContent === title);
  return [...found.querySelectorAll('tbody tr')].map(row => row.children[index].getAttribute('title'));
}
const texts = values => values.map(value => value === null || value === undefined ? null : String(value));

function checkRuns(result) {
  expectSame('cycles', cells(document, 'Runs', 'cycles'), texts(result.runs.map(run => run.timing && run.timing.cycles)));
  expectSame('samples/s', cells(document, 'Runs', 'samples/s'), texts(result.runs.map(run => run.timing && run.timing.samples_per_s)));
  expectSame('status', cells(document, 'Runs', 'status'), texts(result.runs.map(run => run.status)));
}

function chartOf(root, title) {
  const canvas = root.querySelector(`canvas[aria-label="${title}"]`);
  return canvas ? Chart.getChart(canvas) : undefined;
}

function checkScatter(result) {
  const points = chartOf(document, 'Error against throughput').data.datasets.flatMap(set => set.data);
  const timed = result.runs.filter(run => run.timing && run.numerics);
  const byLabel = (a, b) => a[0] < b[0] ? -1 : 1;
  expectSame('scatter', points.map(point => [point.label, point.x, point.y]).sort(byLabel), timed.map(run => [
    [run.npu, run.workload, run.mode, run.recipe].join(' / '), run.timing.samples_per_s,
    Math.max(...run.numerics.outputs.map(output => output.rel_fro))]).sort(byLabel));
}

function checkRun(run, root) {
  const name = root.querySelector('summary').textContent + ': ';
  const bars = chartOf(root, 'Array cycles by cause');
  for (const set of bars.data.datasets)
    expectSame(name + set.label, set.data, bars.data.labels.map(node => {
      const op = run.timing.by_op.find(candidate => candidate.node === node);
      return set.label === 'busy' ? op.array_busy_cycles : op.stall_cycles[set.label];
    }));
  const total = bars.data.datasets.flatMap(set => set.data).reduce((sum, value) => sum + value, 0);
  const counted = run.timing.by_op.reduce((sum, op) => sum + op.array_busy_cycles + Object.values(op.stall_cycles).reduce((a, b) => a + b, 0), 0);
  expectSame(name + 'all cycles', total, counted);
  const errors = chartOf(root, 'Relative error op by op');
  expectSame(name + 'nodes', errors.data.labels, run.numerics.by_op.map(op => op.node));
  for (const set of errors.data.datasets) {
    expectSame(name + set.label, set.data, run.numerics.by_op.map(op => op[set.label].rel_fro || null));
    expectSame(name + set.label + ' in the table', cells(root, 'Relative error op by op', set.label),
               texts(run.numerics.by_op.map(op => op[set.label].rel_fro)));
  }
}

function checkMemory(result) {
  const known = result.runs.filter(run => run.memory);
  expectSame('peak', cells(document, 'Memory', 'peak'), texts(known.map(run => run.memory.peak_bytes)));
  expectSame('activations', cells(document, 'Memory', 'activations'), texts(known.map(run => run.memory.most.activations)));
  for (const run of known.filter(candidate => candidate.memory.over_time)) {
    const chart = chartOf(document, 'Memory over time: ' + [run.npu, run.workload, run.mode, run.recipe].join(' / '));
    expectSame('moments', chart.data.labels, run.memory.over_time.map(moment => moment.op));
    for (const set of chart.data.datasets)
      expectSame('memory ' + set.label, set.data, run.memory.over_time.map(moment => moment[set.label]));
    const total = chart.data.datasets.flatMap(set => set.data).reduce((sum, value) => sum + value, 0);
    expectSame('all bytes', total, run.memory.over_time.flatMap(({op, ...kinds}) => Object.values(kinds)).reduce((sum, value) => sum + value, 0));
  }
}

function checkVerdicts(result) {
  const uses = [...new Set(result.runs.map(run => run.scenario || run.workload + ' ' + run.mode))];
  const npus = [...new Set(result.runs.map(run => run.npu))];
  expectSame('NPUs', cells(document, 'Verdicts', 'NPU'), npus);
  for (const use of uses)
    for (const [i, verdict] of cells(document, 'Verdicts', use).entries()) {
      const own = result.runs.filter(run => run.npu === npus[i] && (run.scenario || run.workload + ' ' + run.mode) === use);
      const order = ['runs', 'runs with fallback', 'not known', 'cannot train', 'cannot run'];
      expectSame(`${use} on ${npus[i]}`, verdict, order[Math.max(...own.map(run => order.indexOf(run.coverage.verdict)))]);
    }
}

function checkTraining(result) {
  const runs = (result.reference ? [result.reference] : []).concat(result.runs);
  expectSame('recipes', cells(document, 'Recipes', 'recipe'), runs.map(run => run.recipe));
  expectSame('accuracy', cells(document, 'Recipes', 'accuracy'), texts(runs.map(run => run.status === 'ok' && run.evaluations.length ? run.evaluations[run.evaluations.length - 1].accuracy : null)));
  expectSame('speed-up', cells(document, 'Recipes', 'speed-up'), texts(runs.map(run => run.speed_up)));
  const checkLines = (title, shown, listOf, key) => {
    const chart = chartOf(document, title);
    expectSame(title + ' lines', chart.data.datasets.map(set => set.label), shown.map(run => run.recipe));
    shown.forEach((run, i) => {
      expectSame(title + ' ' + run.recipe, chart.data.datasets[i].data, listOf(run).map(item => item[key]));
      expectSame(title + ' table ' + run.recipe, cells(document, title, run.recipe), texts(listOf(run).map(item => item[key])));
    });
  };
  checkLines('Loss of each step', runs, run => run.steps, 'loss');
  checkLines('Accuracy on the test samples', runs, run => run.evaluations, 'accuracy');
  checkLines('Loss scale', runs.filter(run => run.loss_scaling), run => run.steps, 'loss_scale');
  const looked = runs.filter(run => run.gradients.length);
  if (!looked.length) wrong.push('no gradients to show');
  for (const run of looked) {
    const step = run.gradients.reduce((last, row) => Math.max(last, row.step), 0);
    const rows = run.gradients.filter(row => row.step === step);
    const chart = chartOf(document, `Exponents of gradients at step ${step}: ${run.recipe}`);
    for (const [i, row] of rows.entries()) {
      const counted = chart.data.datasets[i].data.reduce((sum, value) => sum + value, 0);
      expectSame('exponents of ' + row.tensor, counted, Object.values(row.exponents).reduce((sum, value) => sum + value, 0));
      for (const [exponent, count] of Object.entries(row.exponents))
        expectSame(row.tensor + ' ' + exponent, chart.data.datasets[i].data[chart.data.labels.indexOf(Number(exponent))], count);
    }
    expectSame('gradients of ' + run.recipe, cells(document, 'Gradients: ' + run.recipe, 'tensor'), run.gradients.map(row => row.tensor));
    expectSame('updates of ' + run.recipe, cells(document, 'Updates: ' + run.recipe, 'with a gradient'), texts(run.updates.map(row => row.with_gradient)));
  }
}

function checkRunResult(result) {
  checkRuns(result);
  if (result.runs.some(run => run.timing)) checkScatter(result);
  checkMemory(result);
  checkVerdicts(result);
  const shown = [...document.querySelectorAll('details.run')];
  result.runs.filter(run => run.timing && run.numerics).forEach((run, i) => checkRun(run, shown[i]));
  expectSame('coverage', cells(document, 'Coverage', 'op').length,
             new Set(result.runs.flatMap(run => run.coverage.ops.map(row => row.op))).size);
  if (result.runs.some(run => run.timing)) checkSorting();
}

function checkSorting() {
  const header = [...document.querySelectorAll('table[aria-label="Runs"] th button')].find(button => button.textContent === 'cycles');
  const numbers = () => cells(document, 'Runs', 'cycles').filter(text => text !== null).map(Number);
  header.click();
  expectSame('ascending', numbers(), [...numbers()].sort((a, b) => a - b));
  header.click();
  expectSame('descending', numbers(), [...numbers()].sort((a, b) => b - a));
}

setTimeout(() => {
  for (const made of document.querySelectorAll('details')) made.open = true;
  setTimeout(() => {
    try {
      const result = JSON.parse(document.getElementById('result').textContent);
      if (result.kind === 'train_result') checkTraining(result);
      else checkRunResult(result);
    } catch (error) {
      wrong.push(String(error.stack));
    }
    document.body.append(element('pre', {id: 'verdict'}, ['checked', ...wrong].join('\n')));
  }, 500);
}, 100);
