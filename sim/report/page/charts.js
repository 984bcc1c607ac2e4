// SPDX-License-Identifier: Apache-2.0
// Charts by Chart.js, each with its data as a table below it. Charts below a closed <details> are drawn
// when it opens.
'use strict';

const palette = ['#3b7dd8', '#d8743b', '#3ba66b', '#a84fc0', '#c9a227', '#2fa5a5', '#c94f6d', '#7a7f87', '#7d5a3c', '#5a6ee0'];
const colourOf = index => palette[index % palette.length];

function themed() {
  const style = getComputedStyle(document.documentElement);
  Chart.defaults.color = style.getPropertyValue('--ink').trim();
  Chart.defaults.borderColor = style.getPropertyValue('--line').trim();
}

/** A figure with a canvas and the table of what it shows. */
function figure(title, config, tableOfData) {
  const canvas = element('canvas', {role: 'img', 'aria-label': title});
  const made = element('figure', {}, element('h3', {}, title), element('div', {class: 'plot'}, canvas),
                       element('details', {open: ''}, element('summary', {}, 'Data'), tableOfData));
  made.draw = () => {
    if (Chart.getChart(canvas)) return;
    themed();
    const options = Object.assign({responsive: true, maintainAspectRatio: false, animation: false}, config.options);
    new Chart(canvas, {type: config.type, data: config.data, options});
  };
  return made;
}

function drawFigures(root) {
  for (const made of root.querySelectorAll('figure')) made.draw();
}

const axis = (text, more) => Object.assign({title: {display: true, text}}, more);

/** Points {x, y, label} in groups by name. */
function scatter(title, points, x, y, tableOfData) {
  const groups = [...new Set(points.map(point => point.group))];
  const data = {
    datasets: groups.map((group, i) => ({
      label: group, data: points.filter(point => point.group === group), backgroundColor: colourOf(i), pointRadius: 5,
    })),
  };
  const label = item => `${item.raw.label}: ${shown(item.raw.x)}, ${shown(item.raw.y)}`;
  return figure(title, {type: 'scatter', data, options: {scales: {x, y}, plugins: {tooltip: {callbacks: {label}}}}}, tableOfData);
}

/** One bar a label, cut into the series [{label, values}]. */
function stackedBars(title, labels, series, unit, tableOfData) {
  const data = {
    labels,
    datasets: series.map((one, i) => ({label: one.label, data: one.values, backgroundColor: colourOf(i)})),
  };
  const scales = {x: {stacked: true}, y: axis(unit, {stacked: true})};
  return figure(title, {type: 'bar', data, options: {scales}}, tableOfData);
}

/** Lines over labels, on a logarithmic scale where `logarithmic`. */
function lines(title, labels, series, unit, logarithmic, tableOfData) {
  const data = {
    labels,
    datasets: series.map((one, i) => ({
      label: one.label, data: one.values, borderColor: colourOf(i), backgroundColor: colourOf(i), pointRadius: 2, borderWidth: 1.5,
    })),
  };
  const scales = {y: axis(unit, {type: logarithmic ? 'logarithmic' : 'linear'})};
  return figure(title, {type: 'line', data, options: {scales}}, tableOfData);
}
