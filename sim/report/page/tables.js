// SPDX-License-Identifier: Apache-2.0
// Elements, numbers as text, and tables that sort. Every figure of the page goes through here.
'use strict';

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  for (const child of children)
    made.append(child instanceof Node ? child : String(child));
  return made;
}

/** Enough digits to compare, few enough to read; the whole number is the cell's title. */
function shown(value) {
  if (value === null || value === undefined) return '-';
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e7) ? value.toExponential(3) : String(Number(value.toPrecision(5)));
}

function compareValues(a, b) {
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1;
  if (b === null || b === undefined) return -1;
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}

/**
 * columns: [{title, of: row => value, better: 'low' | 'high' (marks the best cell), className: (value, row) => name}].
 * The best cell is that of the rows of its group, where groupOf says which.
 * Sorting is by a button in each header; a second press turns it round.
 */
function table(caption, columns, rows, groupOf = () => '') {
  const isNumber = column => rows.some(row => typeof column.of(row) === 'number');
  const numbers = columns.map(isNumber);
  const isBest = (column, row) => {
    if (!column.better || typeof column.of(row) !== 'number') return false;
    const values = rows.filter(other => groupOf(other) === groupOf(row)).map(column.of).filter(value => typeof value === 'number');
    return values.length > 1 && column.of(row) === (column.better === 'low' ? Math.min(...values) : Math.max(...values));
  };
  const body = element('tbody');
  const fill = order => body.replaceChildren(...order.map(row => element('tr', {}, ...columns.map((column, i) => {
    const value = column.of(row);
    const classes = [numbers[i] ? 'number' : 'text'];
    if (isBest(column, row)) classes.push('best');
    if (column.className) classes.push(column.className(value, row));
    return element('td', {class: classes.join(' '), title: value}, shown(value));
  }))));
  const headers = columns.map((column, i) => {
    const button = element('button', {type: 'button'}, column.title);
    const header = element('th', {scope: 'col', class: numbers[i] ? 'number' : null}, button);
    button.addEventListener('click', () => {
      const down = header.getAttribute('aria-sort') === 'ascending';
      for (const other of headers) other.removeAttribute('aria-sort');
      header.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const sorted = [...rows].sort((a, b) => compareValues(column.of(a), column.of(b)));
      fill(down ? sorted.reverse() : sorted);
    });
    return header;
  });
  fill(rows);
  const made = element('table', {'aria-label': caption}, element('thead', {}, element('tr', {}, ...headers)), body);
  return element('div', {class: 'wide', tabindex: 0}, made);
}
