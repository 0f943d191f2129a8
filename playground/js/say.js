// What the page says: near the place where it happens, and for screen readers.

export const byId = id => document.getElementById(id);

/** Shows a message in the element of an id; hides it without one. */
export function say(id, message = '') {
  const element = byId(id);
  if (element.textContent !== message) element.textContent = message;
  if (element.hasAttribute('hidden') || element.matches('.problem, .notice')) element.hidden = !message;
}

let waiting;
/** Says a change of state to screen readers; of several in a row, the last. */
export function announce(message) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { byId('live').textContent = message; }, 150);
}

/** A number with as many digits as a reader needs. */
export function short(value, digits = 3) {
  if (value === undefined || value === null) return '–';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'undefined' : value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  const text = size !== 0 && (size < 10 ** -digits || size >= 1e5) ? value.toExponential(2) : value.toFixed(digits);
  return text.replace('-', '−');
}

/** A message as a sentence. */
export function sentence(text) {
  const full = text.trim().replace(/\.?$/, '.');
  return full[0].toUpperCase() + full.slice(1);
}

/** A count with spaces between the thousands. */
export const count = value => Math.round(value).toLocaleString('en').replaceAll(',', '\u202f');

/** An element of a tag, with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children);
  return element;
}

const written = {
  x1: 'x₁', x2: 'x₂', 'x1^2': 'x₁²', 'x2^2': 'x₂²', 'x1*x2': 'x₁x₂', 'sin(x1)': 'sin x₁', 'sin(x2)': 'sin x₂',
};
/** A feature as it is written by hand. */
export const featureText = name => written[name] ?? name;

/** Puts a text on the clipboard; says whether it came there. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make('textarea', { class: 'hidden' });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}
