// All tests, in a page or in Node.
import init, { run } from './wgrad_web_tests.js';
import { exported } from './export.mjs';

export async function all(module, cases) {
  await init({ module_or_path: module });
  const failures = await run();
  try {
    console.log(`ok     ${await exported(cases)}`);
    return failures;
  } catch (error) {
    console.log(`FAILED ${error.message}`);
    return failures + 1;
  }
}
