// Both losses over the steps.
import { byId, short } from './say.js';
import { fitted } from './colour.js';
import { styled } from './theme.js';

const MOST = 1500; // points of a curve; then every second one goes

export class Curves {
  constructor(trainer) {
    this.trainer = trainer;
    this.clear();
    trainer.on('restart', () => { this.clear(); this.draw(); });
    trainer.on('model', () => { this.clear(); this.draw(); });
    trainer.on('points', () => this.draw());
    trainer.on('theme', () => this.draw());
    trainer.on('frame', () => this.add());
    byId('curve-log').addEventListener('change', () => this.draw());
    new ResizeObserver(() => this.draw()).observe(byId('curves'));
  }

  clear() { this.rows = []; }

  add() {
    const { scores, lab } = this.trainer;
    const { step } = lab;
    const last = this.rows.at(-1);
    if (last && step < last[0]) this.clear();
    if (last && step === last[0]) this.rows.pop();
    this.rows.push([step, scores.train, scores.test]);
    if (this.rows.length > MOST) this.rows = this.rows.filter((_, i) => i % 2 === 0 || i === this.rows.length - 1);
    this.draw();
  }

  draw() {
    const { rows } = this;
    const canvas = byId('curves');
    const { context, width, height } = fitted(canvas);
    const values = rows.flatMap(row => [row[1], row[2]]).filter(Number.isFinite);
    if (!values.length) return;
    const log = byId('curve-log').checked;
    const scale = value => log ? Math.log10(Math.max(value, 1e-9)) : value;
    const high = scale(Math.max(...values) || 1);
    const low = log ? scale(Math.min(...values)) : 0;
    const steps = rows.at(-1)[0] || 1;
    const pad = 3;
    const x = step => pad + step / steps * (width - 2 * pad);
    const y = value => height - pad - (scale(value) - low) / (high - low || 1) * (height - 2 * pad);
    context.strokeStyle = styled('--line');
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    for (const [column, color, dash] of [[1, '--soft', []], [2, '--text', [2, 3]]]) {
      context.strokeStyle = styled(color);
      context.lineWidth = rem * 0.11;
      context.setLineDash(dash);
      context.beginPath();
      let down = false;
      for (const row of rows) {
        if (!Number.isFinite(row[column])) { down = false; continue; }
        context[down ? 'lineTo' : 'moveTo'](x(row[0]), y(row[column]));
        down = true;
      }
      context.stroke();
    }
    context.setLineDash([]);
    context.fillStyle = styled('--soft');
    context.font = `${0.68 * rem}px system-ui, sans-serif`;
    context.textAlign = 'right';
    context.textBaseline = 'top';
    context.fillText(short(Math.max(...values), 3), width - 5, 4);
    context.textBaseline = 'bottom';
    if (log) context.fillText(short(Math.min(...values), 4), width - 5, height - 4);
    const [, train, test] = rows.at(-1);
    canvas.setAttribute('aria-label', `Loss curves of ${steps} steps. Training loss ${short(train)}, test loss ${short(test)}.`);
  }
}
