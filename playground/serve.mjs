// Serves the built playground on this computer.
//   node playground/serve.mjs [PORT]
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGzip } from 'node:zlib';

const root = fileURLToPath(new URL('site', import.meta.url));
const types = {
  '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8', '.ts': 'text/plain; charset=utf-8', '.json': 'application/json',
  '.webmanifest': 'application/manifest+json', '.wasm': 'application/wasm', '.svg': 'image/svg+xml',
  '.png': 'image/png', '.jpg': 'image/jpeg', '.webp': 'image/webp', '.ico': 'image/x-icon',
};
const packed = /^(text|application\/(json|wasm|manifest)|image\/svg)/;

// The file of a request; nothing where there is none, or where it is not of the page.
function fileOf(url) {
  let path;
  try { path = decodeURIComponent(new URL(url, 'http://localhost').pathname); } catch { return; }
  let file = resolve(join(root, normalize(path)));
  if (file !== root && !file.startsWith(root + sep)) return;
  if (existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
  return existsSync(file) && statSync(file).isFile() ? file : undefined;
}

export function serve(port = 0) {
  const server = createServer((request, reply) => {
    if (!['GET', 'HEAD'].includes(request.method)) return reply.writeHead(405).end();
    const file = fileOf(request.url);
    if (!file) return reply.writeHead(404, { 'content-type': 'text/plain' }).end('not found');
    const type = types[extname(file)] ?? 'application/octet-stream';
    const gzip = packed.test(type) && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    const headers = { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
    if (gzip) headers['content-encoding'] = 'gzip'; else headers['content-length'] = statSync(file).size;
    reply.writeHead(200, headers);
    if (request.method === 'HEAD') return reply.end();
    const content = createReadStream(file).on('error', () => reply.destroy());
    (gzip ? content.pipe(createGzip()) : content).pipe(reply);
  });
  return new Promise((listening, failed) => {
    server.on('error', failed);
    server.listen(port, '127.0.0.1', () => listening(server));
  });
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  if (!existsSync(join(root, 'pkg'))) {
    console.error('there is no built page: bash playground/build.sh');
    process.exit(1);
  }
  const port = Number(process.argv[2] ?? 8080);
  serve(port).then(
    server => console.log(`http://127.0.0.1:${server.address().port}/`),
    error => { console.error(error.message); process.exit(1); },
  );
}
