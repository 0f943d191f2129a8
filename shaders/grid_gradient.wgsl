// The gradient of the inputs of a grid: an invocation a row. Definition: src/kernels/grid_gradient.rs.
struct Params {
    models: u32,
    rows: u32,
    input_model: u32,
    input_offset: u32,
    inputs: u32,
    chunks: u32,
    width: u32,
    first: u32,
    parameters: u32,
    tables: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> input_gradient: array<f32>;

@compute @workgroup_size(64)
fn grid_gradient(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    let model = index / params.rows;
    if (model >= params.models) {
        return;
    }
    let at = params.input_offset + model * params.input_model + index % params.rows * params.inputs;
    let x = grid_point(at);
    let of_level = GRID_FEATURES / GRID_CHUNK;
    let tables = model * params.parameters + params.tables;
    let begin = index * params.width + params.first;
    var sum = vec3<f32>();
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        let dy = delta_at(begin + chunk * GRID_CHUNK);
        sum += grid_slope(x, grid_level(chunk / of_level), tables + chunk % of_level * GRID_CHUNK, dy);
    }
    let to = index * params.inputs + params.input_offset % params.inputs;
    input_gradient[to] = sum.x;
    input_gradient[to + 1u] = sum.y;
    if (GRID_CORNERS == 8u) {
        input_gradient[to + 2u] = sum.z;
    }
}
