// The cases of tests/export.rs in this browser's own WGSL compiler: each exported function in a
// compute and a fragment shader, against the CPU in f64.

// Returns what was found; throws where an output is wrong.
export async function exported(cases) {
  const fail = line => { throw new Error(line); };
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) fail('no WebGPU adapter');
  const halves = adapter.features.has('shader-f16');
  const device = await adapter.requestDevice({ requiredFeatures: halves ? ['shader-f16'] : [] });
  let uncaptured;
  device.onuncapturederror = event => { uncaptured ??= event.error.message; };

  const buffer = values => words(new Float32Array(values));
  const words = values => {
    const made = device.createBuffer({
      size: Math.max(16, 16 * Math.ceil(values.length / 4)),
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
    });
    device.queue.writeBuffer(made, 0, values);
    return made;
  };
  const read = async (bytes, copy) => {
    const staging = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    copy(encoder, staging);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return new Float32Array(staging.getMappedRange().slice(0));
  };
  const module = async (code, name) => {
    const made = device.createShaderModule({ code });
    const errors = (await made.getCompilationInfo()).messages.filter(m => m.type === 'error');
    if (errors.length) fail(`${name}: ${errors[0].message} at line ${errors[0].lineNum}`);
    return made;
  };

  const worst = [0, 0];
  let ran = 0;
  for (const one of cases) {
    // Not every browser has f16.
    if (one.compute.startsWith('enable f16') && !halves) continue;
    ran += 1;
    const width = one.inputs + one.outputs;
    const parameters = words(new Uint32Array(one.parameters)), [offset, end] = one.layers;
    const bound = [{ binding: 2, resource: { buffer: buffer(one.x) } }, { binding: 3, resource: { buffer: buffer(one.dy) } }];
    if (one.compute.includes('_parameters')) bound.push({ binding: 0, resource: { buffer: parameters } });
    if (one.compute.includes('__layers')) bound.push({ binding: 1, resource: { buffer: parameters, offset, size: end - offset } });
    const entries = layout => ({ layout, entries: [...bound] });
    const found = {};
    {
      const compute = { module: await module(one.compute, one.name), entryPoint: 'main' };
      const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute });
      const results = buffer(new Array(one.rows * width).fill(NaN));
      const group = entries(pipeline.getBindGroupLayout(0));
      group.entries.push({ binding: 4, resource: { buffer: results } });
      found.compute = await read(4 * one.rows * width, (encoder, staging) => {
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, device.createBindGroup(group));
        pass.dispatchWorkgroups(1);
        pass.end();
        encoder.copyBufferToBuffer(results, 0, staging, 0, 4 * one.rows * width);
      });
    }
    {
      const code = await module(one.fragment, one.name);
      const pipeline = await device.createRenderPipelineAsync({
        layout: 'auto',
        vertex: { module: code, entryPoint: 'corner' },
        fragment: { module: code, entryPoint: 'main', targets: [{ format: 'rgba32float' }] },
      });
      const high = Math.ceil(width / 4), line = 256 * Math.ceil(16 * one.rows / 256);
      const target = device.createTexture({
        size: [one.rows, high], format: 'rgba32float',
        usage: GPUTextureUsage.RENDER_ATTACHMENT | GPUTextureUsage.COPY_SRC,
      });
      const texels = await read(line * high, (encoder, staging) => {
        const pass = encoder.beginRenderPass({
          colorAttachments: [{ view: target.createView(), loadOp: 'clear', storeOp: 'store' }],
        });
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, device.createBindGroup(entries(pipeline.getBindGroupLayout(0))));
        pass.draw(3);
        pass.end();
        encoder.copyTextureToBuffer({ texture: target }, { buffer: staging, bytesPerRow: line }, [one.rows, high]);
      });
      found.fragment = new Float32Array(one.rows * width);
      for (let row = 0; row < one.rows; row++) {
        for (let i = 0; i < width; i++) {
          found.fragment[row * width + i] = texels[Math.floor(i / 4) * line / 4 + row * 4 + i % 4];
        }
      }
    }
    for (const [stage, values] of Object.entries(found)) {
      for (const part of [0, 1]) {
        const expected = one.expected[part];
        if (!expected.length) continue;
        const wide = part ? one.inputs : one.outputs, first = part ? one.outputs : 0;
        const scale = Math.max(...expected.map(Math.abs), 1e-300);
        for (let k = 0; k < expected.length; k++) {
          const value = values[Math.floor(k / wide) * width + first + k % wide];
          const error = Math.abs(value - expected[k]) / scale;
          if (!(error <= one.bounds[part])) fail(`${one.name}, ${stage}: ${value} for ${expected[k]}`);
          worst[part] = Math.max(worst[part], error);
        }
      }
    }
  }
  if (!ran) fail('no exported function was tried');
  if (uncaptured) fail(`uncaptured: ${uncaptured}`);
  device.destroy();
  const [outputs, gradients] = worst.map(error => error.toExponential(1));
  return `${ran} exported functions of ${cases.length}, outputs off by ${outputs}, gradients by ${gradients}`;
}
