// SPDX-License-Identifier: Apache-2.0
// The page of a sweep: its front, how its points lie, what each value of an axis can reach, what did not
// run.
'use strict';

/** Lists and objects as their text, so that tables can show and sort them. */
const plainValue = value => value !== null && typeof value === 'object' ? JSON.stringify(value) : value;

const pointName = point => Object.entries(point.assignment).map(([path, value]) => `${path}=${plainValue(value)}`).join(' ');

function pointTable(caption, result, points) {
  const metrics = Object.keys(result.points.length ? result.points[0].metrics : {})
    .filter(name => points.some(point => point.metrics[name] !== null));
  const better = new Map(result.objectives.map(objective => [objective.metric, objective.better === 'less' ? 'low' : 'high']));
  return table(caption, [
    ...result.paths.map(path => ({title: path, of: point => path in point.assignment ? plainValue(point.assignment[path]) : null})),
    ...metrics.map(name => ({title: name, of: point => point.metrics[name], better: better.get(name)})),
    {title: 'config hash', of: point => point.config_hash},
  ], points);
}

const whereOf = point => point.pareto ? 'on the front' : point.feasible ? 'within the constraints' : 'outside them';

/** The first objective against each other one. */
function objectivePlots(result) {
  const [first, ...others] = result.objectives.map(objective => objective.metric);
  return others.map(other => {
    const points = result.points.filter(point => point.metrics[first] !== null && point.metrics[other] !== null)
      .map(point => ({x: point.metrics[first], y: point.metrics[other], label: pointName(point), group: whereOf(point)}))
      .sort((a, b) => a.group < b.group ? 1 : a.group > b.group ? -1 : a.x - b.x);
    const kind = key => points.every(point => point[key] > 0) ? 'logarithmic' : 'linear';
    const title = `${other} against ${first}`;
    return scatter(title, points, axis(first, {type: kind('x')}), axis(other, {type: kind('y')}), table(title, [
      {title: 'point', of: point => point.label}, {title: first, of: point => point.x}, {title: other, of: point => point.y},
      {title: 'is', of: point => point.group},
    ], points.filter(point => point.group === 'on the front')));
  });
}

/** More rows than this are a range, which the plots show better. */
const mostValues = 48;

/** For each value of an axis: how many points keep the constraints, and the best of each objective. */
function reachOfValues(result) {
  return result.paths.flatMap(path => {
    const rows = new Map();  // by text: a value may be a list or an object
    for (const point of result.points) {
      const text = JSON.stringify(point.assignment[path]);
      if (!rows.has(text)) rows.set(text, {value: plainValue(point.assignment[path]), feasible: []});
      if (point.feasible) rows.get(text).feasible.push(point);
    }
    if (rows.size > mostValues) return [];
    const best = (row, objective) => {
      const reached = row.feasible.map(point => point.metrics[objective.metric]).filter(number => number !== null);
      return reached.length ? reached.reduce((a, b) => (objective.better === 'less' ? a <= b : a >= b) ? a : b) : null;
    };
    return [table('Best with each ' + path, [
      {title: path, of: row => row.value}, {title: 'points within the constraints', of: row => row.feasible.length},
      ...result.objectives.map(objective => ({
        title: 'best ' + objective.metric, of: row => best(row, objective), better: objective.better === 'less' ? 'low' : 'high',
      })),
    ], [...rows.values()].sort((a, b) => compareValues(a.value, b.value)))];
  });
}

function failures(result) {
  const counts = new Map();
  for (const point of result.points.filter(one => one.status !== 'ok')) {
    const key = JSON.stringify([point.status, point.reason]);
    counts.set(key, (counts.get(key) || 0) + 1);
  }
  const rows = [...counts].map(([key, count]) => ({status: JSON.parse(key)[0], reason: JSON.parse(key)[1], count}));
  return rows.length ? [table('What did not run', [
    {title: 'status', of: row => row.status}, {title: 'reason', of: row => row.reason}, {title: 'points', of: row => row.count},
  ], rows)] : [];
}

function sweepSections(result) {
  const front = result.points.filter(point => point.pareto);
  const some = result.points.length < result.total_points
    ? `The page has ${result.points.length} of ${result.total_points} points: the whole front and an even choice of the others.` : null;
  return [
    ...section('front', 'Pareto front', 'Points within the constraints that no other beats. A header sorts.',
               front.length ? [pointTable('Pareto front', result, front)] : []),
    ...section('objectives', 'Objectives', some, objectivePlots(result)),
    ...section('values', 'What each value can reach', some, reachOfValues(result)),
    ...section('failures', 'What did not run', some, failures(result)),
  ];
}
