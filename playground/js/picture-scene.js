// The built-in picture: a program draws it, so nothing has to be downloaded.

/** Numbers between 0 and 1, the same ones each time. */
function numbers(seed) {
  return () => {
    seed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x9e3779b9 | 0;
    const mixed = Math.imul(seed ^ (seed >>> 13), 0x85ebca6b);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

function gradient(context, from, to, ...colours) {
  const way = context.createLinearGradient(0, from, 0, to);
  colours.forEach((colour, i) => way.addColorStop(i / (colours.length - 1), colour));
  return way;
}

/** A ridge of hills from left to right, filled down to the bottom. */
function ridge(context, width, height, base, rough, random, fill) {
  let points = [0, 0];
  for (let size = rough; points.length < width / 3; size *= 0.52) {
    points = points.flatMap((y, i) => i + 1 < points.length ? [y, (y + points[i + 1]) / 2 + size * (random() - 0.5)] : [y]);
  }
  context.fillStyle = fill;
  context.beginPath();
  context.moveTo(0, height);
  points.forEach((y, i) => context.lineTo(width * i / (points.length - 1), base + y));
  context.lineTo(width, height);
  context.fill();
}

/** Draws an evening by a lake: smooth skies, sharp edges, and fine lines that are hard to learn. */
export function scene(width = 512, height = 384) {
  const canvas = new OffscreenCanvas(width, height);
  const c = canvas.getContext('2d');
  const random = numbers(7);
  const shore = 0.66 * height;
  c.fillStyle = gradient(c, 0, shore, '#1b2a5c', '#6d4b8f', '#e5806a', '#ffd28a');
  c.fillRect(0, 0, width, height);
  for (let i = 0; i < 90; i++) {
    c.fillStyle = `rgba(255, 255, 240, ${0.9 * random()})`;
    const r = 0.4 + random();
    c.fillRect(width * random(), 0.4 * shore * random(), r, r);
  }
  const glow = c.createRadialGradient(0.68 * width, 0.8 * shore, 4, 0.68 * width, 0.8 * shore, 0.32 * width);
  glow.addColorStop(0, 'rgba(255, 244, 200, 1)');
  glow.addColorStop(0.16, 'rgba(255, 226, 150, 0.85)');
  glow.addColorStop(1, 'rgba(255, 200, 120, 0)');
  c.fillStyle = glow;
  c.fillRect(0, 0, width, shore);
  ridge(c, width, shore, 0.72 * shore, 90, random, '#6a4a7d');
  ridge(c, width, shore, 0.86 * shore, 60, random, '#40345f');
  c.fillStyle = gradient(c, shore, height, '#f0a878', '#7a5a8e', '#23305e');
  c.fillRect(0, shore, width, height - shore);
  for (let i = 0; i < 260; i++) {
    const far = random() ** 1.6, y = shore + far * (height - shore), length = 6 + 60 * far * random();
    const lit = Math.abs(width * 0.68 - width * random()) < 0.2 * width * (0.3 + far);
    c.strokeStyle = lit ? `rgba(255, 228, 170, ${0.5 * random()})` : `rgba(24, 32, 72, ${0.4 * random()})`;
    c.lineWidth = 0.6 + 1.6 * far;
    c.beginPath();
    const x = width * random();
    c.moveTo(x, y);
    c.quadraticCurveTo(x + length / 2, y + 2 * far, x + length, y);
    c.stroke();
  }
  // A tower of lattice, whose lines are thinner than a pixel at the top.
  const foot = 0.2 * width, top = 0.2 * height, ground = shore + 6;
  c.strokeStyle = '#1a1838';
  for (let i = 0; i <= 16; i++) {
    const at = share => [foot + (1 - share) * 40, foot + 80 - (1 - share) * 40, top + share * (ground - top)];
    const [left, right, y] = at(i / 16), [l, r, below] = at(Math.min(1, (i + 1) / 16));
    c.lineWidth = 0.7 + 1.3 * i / 16;
    c.beginPath();
    c.moveTo(left, y); c.lineTo(r, below); c.moveTo(right, y); c.lineTo(l, below);
    c.moveTo(left, y); c.lineTo(right, y); c.moveTo(left, y); c.lineTo(l, below); c.moveTo(right, y); c.lineTo(r, below);
    c.stroke();
  }
  c.fillStyle = '#ff5348';
  c.beginPath(); c.arc(foot + 40, top - 3, 3, 0, 7); c.fill();
  // A boat with a sail.
  c.fillStyle = '#f7efe2';
  c.beginPath(); c.moveTo(300, shore - 34); c.lineTo(300, shore + 18); c.lineTo(266, shore + 18); c.fill();
  c.fillStyle = '#d8563f';
  c.beginPath(); c.moveTo(303, shore - 28); c.lineTo(303, shore + 18); c.lineTo(328, shore + 18); c.fill();
  c.fillStyle = '#2a1d33';
  c.beginPath(); c.moveTo(258, shore + 21); c.lineTo(336, shore + 21); c.lineTo(324, shore + 33); c.lineTo(268, shore + 33); c.fill();
  // Letters, and a board of squares.
  c.font = `600 ${Math.round(0.045 * height)}px Georgia, serif`;
  c.fillStyle = '#fff3dc';
  c.fillText('∂L/∂w', 0.83 * width, 0.94 * height);
  for (let i = 0; i < 48; i++) {
    c.fillStyle = (i + (i >> 3)) % 2 ? '#fff3dc' : '#1a1838';
    c.fillRect(14 + 6 * (i % 8), height - 50 + 6 * (i >> 3), 6, 6);
  }
  return canvas;
}
