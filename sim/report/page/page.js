// SPDX-License-Identifier: Apache-2.0
// Puts the page together from the result that stands in it.
'use strict';

function section(id, title, note, children) {
  if (!children.length) return [];
  const heading = element('h2', {id}, title);
  return [element('section', {'aria-labelledby': id}, heading, ...(note ? [element('p', {class: 'note'}, note)] : []), ...children)];
}

function runSections(runs) {
  return [
    ...section('runs', 'Runs', 'The best value of a column among runs of the same workload and mode is marked. A header sorts.', [comparison(runs)]),
    ...section('hypothetical', 'Hypothetical', hypotheticalNote, hypothetical(runs)),
    ...section('pareto', 'Error and throughput', null, errorAgainstThroughput(runs)),
    ...section('ops', 'Op by op', 'Open a run.', runs.filter(run => run.timing || run.numerics).map(details)),
    ...section('memory', 'Memory', 'Bytes; the most of each kind that is alive at once.', memoryUse(runs)),
    ...section('coverage', 'Op coverage', null, [...verdictMap(runs), ...coverageMap(runs)]),
    ...section('designs', 'What the designs differ in', null, configDifferences(runs)),
  ];
}

function build(result) {
  const training = result.kind === 'train_result';
  const sections = result.sweep ? sweepSections(result) : training ? trainingSections(result) : runSections(result.runs);
  const what = result.sweep ? `sweep ${result.sweep.name}, ${result.total_points} points` : `${result.runs.length} runs`;
  const tool = training ? `npusim ${result.tool_version}` : `${result.tool.name} ${result.tool.version} (${result.tool.git})`;
  const links = sections.map(made => element('a', {href: '#' + made.querySelector('h2').id}, made.querySelector('h2').textContent));
  document.querySelector('main').append(
    element('h1', {}, 'npusim report'),
    element('p', {class: 'note'}, `${tool}, ${what}`),
    element('nav', {}, ...links), ...sections);
  drawFigures(document);
  const first = document.querySelector('details.run');
  if (first) first.open = true;
}

build(JSON.parse(document.getElementById('result').textContent));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  themed();
  for (const canvas of document.querySelectorAll('canvas')) {
    const chart = Chart.getChart(canvas);
    if (chart) chart.update();
  }
});
addEventListener('beforeprint', () => {
  for (const made of document.querySelectorAll('details')) made.open = true;
});
