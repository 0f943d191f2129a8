// Light and dark: the system's wish, or the reader's.
import { announce, byId } from './say.js';

const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = [];

/** The theme that is shown. */
export const theme = () => document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light');

/** A color of the style sheet. */
export const styled = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function changed() {
  for (const listener of listeners) listener();
}

function toggle() {
  const next = theme() === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem('theme', next); } catch { /* No storage: for this page only. */ }
  announce(`The page is ${next}.`);
  changed();
}

let started = false;
/** Makes the button work, and calls `listener` after each change. */
export function startTheme(listener) {
  if (listener) listeners.push(listener);
  if (started) return;
  started = true;
  dark.addEventListener('change', changed);
  byId('theme')?.addEventListener('click', toggle);
}
