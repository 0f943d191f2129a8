// The bits of the largest magnitude among some columns of a matrix. Bits of magnitudes have the
// order of the magnitudes, with values that are not finite above all.
// Definition: src/kernels/encoding/max_abs.rs.

@compute @workgroup_size(64)
fn max_abs(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = group.y * groups.x + group.x;
    if (index >= params.models * params.groups) {
        return;
    }
    let model = index / params.groups;
    // In units of `LANES` elements, as is everything that is added to columns.
    let columns = params.columns / LANES;
    let elements = params.count * columns;
    let begin = model * params.rows * params.width + params.first;
    let apart = 64u * params.groups;
    let step = vec2<u32>(apart / columns, apart % columns);
    let start = index % params.groups * 64u + local;
    // The row and the column.
    var place = vec2<u32>(start / columns, start % columns);
    var found = 0u;
    // Four loads in flight. What lies beyond the end is an element of the last row once more.
    for (var i = start; i < elements; i += 4u * apart) {
        let second = next_place(place, step, columns);
        let third = next_place(second, step, columns);
        let fourth = next_place(third, step, columns);
        let rows = min(vec4<u32>(place.x, second.x, third.x, fourth.x), vec4<u32>(params.count - 1u));
        let at = (begin + rows * params.width) / LANES
            + vec4<u32>(place.y, second.y, third.y, fourth.y);
        place = next_place(fourth, step, columns);
        let low = max(magnitude_at(at.x), magnitude_at(at.y));
        let high = max(magnitude_at(at.z), magnitude_at(at.w));
        found = max(found, max(low, high));
    }
    found = max_of_workgroup(found, local);
    if (local == 0u) {
        max_abs_bits[index] = found;
    }
}

// The place that lies `step` behind another one: a row and a column each.
fn next_place(place: vec2<u32>, step: vec2<u32>, columns: u32) -> vec2<u32> {
    let next = place + step;
    return select(next, vec2<u32>(next.x + 1u, next.y - columns), next.y >= columns);
}
