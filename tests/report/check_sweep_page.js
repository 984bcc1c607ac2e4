// SPDX-License-Identifier: Apache-2.0
// Appended to the page of a sweep by test_page.py: holds tables and charts against the JSON.
'use strict';

const wrong = [];
addEventListener('error', event => wrong.push('error: ' + event.message));

function expectSame(what, got, want) {
  if (JSON.stringify(got) !== JSON.stringify(want))
    wrong.push(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

function cells(caption, title) {
  const found = document.querySelector(`table[aria-label="${caption}"]`);
  const index = [...found.querySelectorAll('thead th')].findIndex(header => header.textContent === title);
  return [...found.querySelectorAll('tbody tr')].map(row => row.children[index].getAttribute('title'));
}

function checkSweep(result) {
  const front = result.points.filter(point => point.pareto);
  if (front.length < 2 || front.length === result.points.length) wrong.push('the sweep has no front worth a page');
  expectSame('front', cells('Pareto front', 'config hash'), front.map(point => point.config_hash));
  expectSame('seconds', cells('Pareto front', 'seconds'), front.map(point => String(point.metrics.seconds)));
  const plot = Chart.getChart(document.querySelector('canvas[aria-label="energy_mj against seconds"]'));
  const pairs = points => points.map(([x, y]) => `${x} ${y}`).sort();
  expectSame('scatter', pairs(plot.data.datasets.flatMap(set => set.data).map(point => [point.x, point.y])),
             pairs(result.points.filter(point => point.metrics.seconds !== null).map(point => [point.metrics.seconds, point.metrics.energy_mj])));
  const rows = cells('Best with each npu.mac_array.rows', 'npu.mac_array.rows');
  const best = cells('Best with each npu.mac_array.rows', 'best seconds');
  rows.forEach((value, i) => {
    const reached = result.points.filter(point => point.feasible && String(point.assignment['npu.mac_array.rows']) === value)
      .map(point => point.metrics.seconds);
    expectSame('best with rows ' + value, best[i], reached.length ? String(Math.min(...reached)) : null);
  });
  // A value that is a list is one row, with all points within the constraints.
  const lists = 'Best with each npu.mac_array.accumulator.choices';
  expectSame('list values', cells(lists, 'npu.mac_array.accumulator.choices'), ['["fp32"]']);
  expectSame('points of a list value', cells(lists, 'points within the constraints'),
             [String(result.points.filter(point => point.feasible).length)]);
  const failed = result.points.filter(point => point.status !== 'ok').length;
  if (failed === 0) wrong.push('nothing failed');
  expectSame('failures', cells('What did not run', 'points').map(Number).reduce((a, b) => a + b, 0), failed);
}

setTimeout(() => {
  try {
    checkSweep(JSON.parse(document.getElementById('result').textContent));
  } catch (error) {
    wrong.push(String(error.stack));
  }
  document.body.append(element('pre', {id: 'verdict'}, ['checked', ...wrong].join('\n')));
}, 500);
