// SPDX-License-Identifier: Apache-2.0
// What the page says of a result: each function takes the result's own objects and returns elements.
'use strict';

// With --what-if an op may run in formats that its NPU does not declare.
const mark = of => of.hypothetical ? ' (hypothetical)' : '';
const nameOf = run => [run.npu, run.workload, run.mode, run.recipe].join(' / ') + mark(run);
const opName = op => op.node + mark(op);
const timing = (run, key) => run.timing ? run.timing[key] : null;
// Of all devices, where there are several.
const throughput = run => run.cluster ? run.cluster.samples_per_s : timing(run, 'samples_per_s');
const stepSeconds = run => run.cluster ? run.cluster.step_seconds : timing(run, 'seconds');
const worstError = run => {
  const errors = run.numerics ? run.numerics.outputs.map(output => output.rel_fro).filter(value => value !== null) : [];
  return errors.length ? Math.max(...errors) : null;
};

/** Runs that no other run of the same workload and mode beats in both throughput and error. */
function isPareto(run, runs) {
  const rate = throughput(run);
  const error = worstError(run);
  if (rate === null || error === null) return null;
  const beaten = runs.some(other => other.workload === run.workload && other.mode === run.mode &&
    throughput(other) >= rate && worstError(other) !== null && worstError(other) <= error &&
    (throughput(other) > rate || worstError(other) < error));
  return beaten ? 'no' : 'yes';
}

function comparison(runs) {
  return table('Runs', [
    {title: 'NPU', of: run => run.npu}, {title: 'workload', of: run => run.workload}, {title: 'mode', of: run => run.mode},
    {title: 'recipe', of: run => run.recipe}, {title: 'status', of: run => run.status + mark(run)},
    {title: 'cycles', of: run => timing(run, 'cycles'), better: 'low'},
    {title: 'time [ms]', of: run => stepSeconds(run) === null ? null : stepSeconds(run) * 1e3, better: 'low'},
    {title: 'samples/s', of: run => throughput(run), better: 'high'},
    {title: 'utilization', of: run => timing(run, 'utilization'), better: 'high'},
    {title: 'TOPS', of: run => timing(run, 'achieved_tops'), better: 'high'},
    {title: 'DRAM bytes', of: run => timing(run, 'dram_bytes'), better: 'low'},
    {title: 'energy [mJ]', of: run => timing(run, 'energy_mj'), better: 'low'},
    {title: 'rel. error', of: worstError, better: 'low'},
    {title: 'peak memory [bytes]', of: run => run.memory ? run.memory.peak_bytes : null, better: 'low'},
    {title: 'Pareto', of: run => isPareto(run, runs)},
    {title: 'reason', of: run => run.error},
  ], runs, run => run.workload + ' ' + run.mode);
}

/** Formats that NPUs do not declare, and the declared ones that ran in their place. */
function hypothetical(runs) {
  const rows = runs.filter(run => run.hypothetical).flatMap(run => run.hypothetical.stand_ins.map(row => ({run, row})));
  if (!rows.length) return [];
  return [table('Hypothetical', [
    {title: 'run', of: ({run}) => run.npu ? nameOf(run) : run.recipe}, {title: 'what', of: ({row}) => row.role},
    {title: 'format', of: ({row}) => row.format}, {title: 'runs as', of: ({row}) => row.as}, {title: 'ops', of: ({row}) => row.ops},
  ], rows)];
}
const hypotheticalNote = 'Formats that the NPU does not declare: cycles are those of the declared format that stands in, bits those of the format asked for.';

function errorAgainstThroughput(runs) {
  const points = runs.filter(run => throughput(run) !== null && worstError(run) !== null).map(run => ({
    x: throughput(run), y: worstError(run), label: nameOf(run), group: run.workload + ' ' + run.mode,
    pareto: isPareto(run, runs),
  }));
  if (!points.length) return [];
  const data = table('Error against throughput', [
    {title: 'run', of: point => point.label}, {title: 'samples/s', of: point => point.x}, {title: 'rel. error', of: point => point.y},
    {title: 'Pareto', of: point => point.pareto},
  ], points);
  const kind = points.every(point => point.y > 0) ? 'logarithmic' : 'linear';
  return [scatter('Error against throughput', points, axis('samples/s', {type: 'logarithmic'}), axis('relative error of the worst output', {type: kind}), data)];
}

function timeByCause(run) {
  const ops = run.timing.by_op.filter(op => op.array_busy_cycles + sum(Object.values(op.stall_cycles)) > 0);
  const causes = Object.keys(run.timing.stall_cycles).filter(cause => ops.some(op => op.stall_cycles[cause] > 0));
  const series = [{label: 'busy', values: ops.map(op => op.array_busy_cycles)}]
    .concat(causes.map(cause => ({label: cause, values: ops.map(op => op.stall_cycles[cause])})));
  const columns = [{title: 'node', of: opName}, {title: 'op', of: op => op.op}, {title: 'busy', of: op => op.array_busy_cycles}]
    .concat(causes.map(cause => ({title: cause, of: op => op.stall_cycles[cause]})));
  return stackedBars('Array cycles by cause', ops.map(opName), series, 'cycles x arrays', table('Array cycles by cause', columns, ops));
}

const sum = values => values.reduce((total, value) => total + value, 0);

/** Operations per DRAM byte against operations per second, one point an op, under the two roofs. */
function roofline(run) {
  const clock = run.config.npu.clock_mhz * 1e6;
  const bandwidth = run.config.npu.dram ? run.config.npu.dram.bandwidth_gb_per_s : null;
  const ops = run.timing.by_op.filter(op => op.macs > 0 && op.end_cycle > op.start_cycle &&
    op.dram_read_bytes + op.dram_write_bytes > 0).map(op => ({
      x: 2 * op.macs / (op.dram_read_bytes + op.dram_write_bytes),
      y: 2 * op.macs / ((op.end_cycle - op.start_cycle) / clock) / 1e12, label: opName(op), group: 'ops',
    }));
  if (!ops.length) return [];
  const made = scatter('Roofline', ops, axis('operations per DRAM byte', {type: 'logarithmic'}), axis('TOPS', {type: 'logarithmic'}),
    table('Roofline', [{title: 'node', of: op => op.label}, {title: 'operations/byte', of: op => op.x}, {title: 'TOPS', of: op => op.y}], ops));
  if (!bandwidth) return [made];
  const peak = run.timing.peak_tops;
  const low = Math.min(...ops.map(op => op.x)) / 2;
  const ridge = peak * 1e12 / (bandwidth * 1e9);
  const high = Math.max(ridge, ...ops.map(op => op.x)) * 2;
  const roof = [low, ridge, high].filter(x => x >= low).sort((a, b) => a - b)
    .map(x => ({x, y: Math.min(peak, x * bandwidth * 1e9 / 1e12), label: 'roof'}));
  const draw = made.draw;
  made.draw = () => {
    draw();
    const chart = Chart.getChart(made.querySelector('canvas'));
    if (chart.data.datasets.some(set => set.label === 'roof')) return;
    chart.data.datasets.push({label: 'roof', type: 'line', data: roof, borderColor: colourOf(7), pointRadius: 0, borderWidth: 1.5});
    chart.update();
  };
  return [made];
}

function errorByOp(run) {
  const ops = run.numerics.by_op;
  const kinds = ['local', 'propagated', 'total'].filter(kind => ops.some(op => op[kind]));
  const of = (op, kind) => op[kind] ? op[kind].rel_fro : null;
  const series = kinds.map(kind => ({label: kind, values: ops.map(op => of(op, kind) || null)}));
  const columns = [{title: 'node', of: opName}, {title: 'op', of: op => op.op}]
    .concat(kinds.map(kind => ({title: kind, of: op => of(op, kind)})));
  return lines('Relative error op by op', ops.map(opName), series, 'relative Frobenius error', true, table('Relative error op by op', columns, ops));
}

function details(run) {
  const made = element('details', {class: 'run'}, element('summary', {}, nameOf(run)));
  made.addEventListener('toggle', () => {
    if (!made.open) return;
    if (made.childElementCount === 1) {
      if (run.timing) made.append(timeByCause(run), ...roofline(run));
      if (run.numerics) made.append(errorByOp(run));
    }
    drawFigures(made);
  });
  return made;
}

const levels = ['native', 'decomposed', 'host', 'unknown', 'unsupported'];

function coverageMap(runs) {
  const covered = runs.filter(run => run.coverage);
  if (!covered.length) return [];
  const ops = [...new Set(covered.flatMap(run => run.coverage.ops.map(row => row.op)))].sort();
  const worst = (run, op) => {
    const found = run.coverage.ops.filter(row => row.op === op).map(row => levels.indexOf(row.support));
    return found.length ? levels[Math.max(...found)] : null;
  };
  const columns = [{title: 'op', of: op => op}].concat(covered.map(run => ({
    title: nameOf(run), of: op => worst(run, op), className: value => value || 'same',
  })));
  return [element('p', {class: 'note'}, 'The worst support of each op in each run.'), table('Coverage', columns, ops)];
}

const verdicts = ['runs', 'runs with fallback', 'runs hypothetically', 'not known', 'cannot train', 'cannot run'];
const verdictClass = {'runs': 'native', 'runs with fallback': 'decomposed', 'runs hypothetically': 'unknown', 'not known': 'unknown', 'cannot train': 'host', 'cannot run': 'unsupported'};

/** What each NPU makes of each scenario (or workload): the worst verdict of its runs. */
function verdictMap(runs) {
  const covered = runs.filter(run => run.coverage);
  const useOf = run => run.scenario || run.workload + ' ' + run.mode;
  const npus = [...new Set(covered.map(run => run.npu))];
  const uses = [...new Set(covered.map(useOf))];
  if (npus.length * uses.length < 2) return [];
  const worst = (npu, use) => {
    const found = covered.filter(run => run.npu === npu && useOf(run) === use).map(run => verdicts.indexOf(run.coverage.verdict));
    return found.length ? verdicts[Math.max(...found)] : null;
  };
  const columns = [{title: 'NPU', of: npu => npu}].concat(uses.map(use => ({
    title: use, of: npu => worst(npu, use), className: value => verdictClass[value] || 'same',
  })));
  return [element('p', {class: 'note'}, 'The verdict on each scenario; of several workloads the worst.'), table('Verdicts', columns, npus)];
}

const memoryKinds = ['weights', 'master_weights', 'optimizer_state', 'state', 'activations', 'activation_gradients',
  'weight_gradients', 'unscaled_gradients', 'workspace'];

/** The most bytes of each kind, and over time where the result has them. */
function memoryUse(runs) {
  const known = runs.filter(run => run.memory && run.memory.most);
  if (!known.length) return [];
  const parameters = [...new Set(known.flatMap(run => (run.memory.limits || []).map(limit => limit.parameter)))];
  const largest = (run, name) => {
    const found = (run.memory.limits || []).find(limit => limit.parameter === name);
    return found ? found.largest : null;
  };
  const columns = [{title: 'run', of: nameOf}]
    .concat(memoryKinds.map(kind => ({title: kind.replace('_', ' '), of: run => run.memory.most[kind]})))
    .concat([{title: 'peak', of: run => run.memory.peak_bytes}, {title: 'at', of: run => run.memory.peak_op},
             {title: 'capacity', of: run => run.memory.capacity_bytes}])
    .concat(parameters.map(name => ({title: 'largest ' + name, of: run => largest(run, name)})));
  return [table('Memory', columns, known), ...known.filter(run => run.memory.over_time).map(memoryOverTime)];
}

function memoryOverTime(run) {
  const moments = run.memory.over_time;
  const kinds = memoryKinds.filter(kind => moments.some(moment => moment[kind] > 0));
  const title = 'Memory over time: ' + nameOf(run);
  return stackedBars(title, moments.map(moment => moment.op), kinds.map(kind => ({label: kind, values: moments.map(moment => moment[kind])})),
    'bytes', table(title, [{title: 'op', of: moment => moment.op}].concat(kinds.map(kind => ({title: kind, of: moment => moment[kind]}))), moments));
}

function flattened(value, pointer, into) {
  if (value !== null && typeof value === 'object')
    for (const [key, below] of Object.entries(value)) flattened(below, pointer + '/' + key, into);
  else
    into[pointer] = value;
  return into;
}

/** Values of the configs in which the designs differ; texts that describe are left out. */
function configDifferences(runs) {
  const designs = [...new Map(runs.filter(run => run.config && run.config.npu).map(run => [run.npu, run])).values()];
  if (designs.length < 2) return [];
  const flat = designs.map(run => flattened(run.config.npu, '', {}));
  const pointers = [...new Set(flat.flatMap(Object.keys))]
    .filter(pointer => !/^\/(sources|description|name|operators)(\/|$)/.test(pointer))
    .filter(pointer => new Set(flat.map(values => JSON.stringify(values[pointer]))).size > 1);
  const columns = [{title: 'value', of: pointer => pointer}]
    .concat(designs.map((run, i) => ({title: run.npu, of: pointer => pointer in flat[i] ? flat[i][pointer] : null})));
  return [table('Differences of the designs', columns, pointers)];
}
