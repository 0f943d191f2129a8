// The place that is looked at: moved and enlarged by mouse, wheel, fingers and keys.

const MOST = 64;

/** Listens to an element whose canvases show the same view. `changed` is called after each change. */
export function navigate(element, changed) {
  const view = { x: 0.5, y: 0.5, zoom: 1, enlarge, reset, move };

  function settle() {
    view.zoom = Math.min(MOST, Math.max(1, view.zoom));
    const half = 0.5 / view.zoom;
    for (const axis of ['x', 'y']) view[axis] = Math.min(1 - half, Math.max(half, view[axis]));
    element.dataset.zoom = view.zoom.toFixed(3);
    changed();
  }

  /** Enlarges around a place of the canvas, from 0 to 1; its middle unless given. */
  function enlarge(factor, [u, v] = [0.5, 0.5]) {
    const before = view.zoom;
    view.zoom = Math.min(MOST, Math.max(1, before * factor));
    view.x += (u - 0.5) * (1 / before - 1 / view.zoom);
    view.y += (v - 0.5) * (1 / before - 1 / view.zoom);
    settle();
  }

  /** Moves by shares of what is in sight. */
  function move(dx, dy) {
    view.x += dx / view.zoom;
    view.y += dy / view.zoom;
    settle();
  }

  function reset() {
    Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 });
    settle();
  }

  const place = (event, canvas) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };

  element.addEventListener('wheel', event => {
    const canvas = event.target.closest('canvas');
    if (!canvas) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    enlarge(Math.exp(-Math.max(-200, Math.min(200, lines * event.deltaY)) / 300), place(event, canvas));
  }, { passive: false });

  // The pointers that are down: one moves, two enlarge.
  const down = new Map();
  element.addEventListener('pointerdown', event => {
    const canvas = event.target.closest('canvas');
    if (!canvas || event.button) return;
    // The canvas may be replaced while it is held: the element stays.
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { at: place(event, canvas), frame: canvas.parentElement });
    element.classList.add('held');
  });
  element.addEventListener('pointermove', event => {
    const one = down.get(event.pointerId);
    if (!one) return;
    const now = place(event, one.frame), before = one.at;
    one.at = now;
    if (down.size === 1) return move(before[0] - now[0], before[1] - now[1]);
    const other = [...down].find(([id]) => id !== event.pointerId)[1].at;
    const apart = at => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1e-3;
    enlarge(apart(now) / apart(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    element.addEventListener(end, event => {
      down.delete(event.pointerId);
      if (!down.size) element.classList.remove('held');
    });
  }

  element.addEventListener('dblclick', event => {
    const canvas = event.target.closest('canvas');
    if (canvas) enlarge(2, place(event, canvas));
  });

  const keys = {
    ArrowLeft: () => move(-0.1, 0), ArrowRight: () => move(0.1, 0), ArrowUp: () => move(0, -0.1), ArrowDown: () => move(0, 0.1),
    '+': () => enlarge(1.25), '=': () => enlarge(1.25), '-': () => enlarge(0.8), 0: reset,
  };
  element.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  return view;
}
