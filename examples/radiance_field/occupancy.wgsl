// Where the air is empty, no sample is worth a network. The box has CELLS³ cells. Each keeps the
// largest density that was lately found in it; from time to time each is probed at a random point.

@group(0) @binding(0) var<storage, read> counts: Counts;
// [cells, 3]
@group(0) @binding(1) var<storage, read_write> probes: array<f32>;
// [cells, FEATURES]: what the density network says there.
@group(0) @binding(2) var<storage, read> features: array<f32>;
@group(0) @binding(3) var<storage, read_write> occupancy: array<f32>;

@compute @workgroup_size(64)
fn probe(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&occupancy)) { return; }
    let cell = vec3<u32>(id.x % CELLS, id.x / CELLS % CELLS, id.x / (CELLS * CELLS));
    let a = mix_bits(id.x ^ mix_bits(counts.batch));
    let b = mix_bits(a);
    let share = vec3<f32>(unit(a), unit(b), unit(mix_bits(b)));
    let p = LOWER + (UPPER - LOWER) * (vec3<f32>(cell) + share) / f32(CELLS);
    for (var d = 0u; d < 3u; d++) {
        probes[3u * id.x + d] = clamp(p[d], LOWER[d], UPPER[d]);
    }
}

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&occupancy)) { return; }
    // A cell whose surface the last probes have missed is kept for a while.
    occupancy[id.x] = max(0.8 * occupancy[id.x], density_of(features[FEATURES * id.x]));
}
