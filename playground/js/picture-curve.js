// The PSNR over the steps, and canvases as large as they are shown.

/** Gives a canvas the pixels that it covers on the screen. */
export function fit(canvas) {
  const scale = Math.min(devicePixelRatio || 1, 2), box = canvas.getBoundingClientRect();
  const [w, h] = [box.width, box.height].map(side => Math.max(1, Math.min(2048, Math.round(scale * side))));
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
}

/** Draws pairs of a step and its PSNR. */
export function drawCurve(canvas, history) {
  fit(canvas);
  const c = canvas.getContext('2d'), { width, height } = canvas, style = getComputedStyle(canvas);
  const scale = Math.min(devicePixelRatio || 1, 2) * parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const left = 30 * scale, bottom = height - 18 * scale, up = 8 * scale;
  c.clearRect(0, 0, width, height);
  const last = history.at(-1)?.[0] ?? 1;
  const most = Math.max(40, ...history.map(([, psnr]) => psnr)), least = Math.min(10, ...history.map(([, psnr]) => psnr));
  const at = ([step, psnr]) => [left + (width - left - 6 * scale) * step / last, bottom - (bottom - up) * (psnr - least) / (most - least)];
  c.font = `${11 * scale}px system-ui, sans-serif`;
  c.fillStyle = c.strokeStyle = style.color;
  c.textAlign = 'right';
  c.textBaseline = 'middle';
  c.globalAlpha = 0.7;
  for (let level = Math.ceil(least / 10) * 10; level <= most; level += 10) {
    const [, y] = at([0, level]);
    c.fillText(level, left - 6 * scale, y);
    c.globalAlpha = 0.15;
    c.fillRect(left, y, width - left, scale);
    c.globalAlpha = 0.7;
  }
  c.textBaseline = 'alphabetic';
  if (history.length > 1) c.fillText(`${last.toLocaleString('en')} steps`, width - 6 * scale, height - 3 * scale);
  c.globalAlpha = 1;
  c.strokeStyle = style.getPropertyValue('--accent') || style.color;
  c.lineWidth = 2 * scale;
  c.lineJoin = 'round';
  c.beginPath();
  history.map(at).forEach(point => c.lineTo(...point));
  c.stroke();
}
