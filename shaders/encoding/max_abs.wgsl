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
    let elements = params.count * params.columns;
    var found = 0u;
    for (var i = index % params.groups * 64u + local; i < elements; i += 64u * params.groups) {
        let at = params.first + (model * params.rows + i / params.columns) * params.width + i % params.columns;
        found = max(found, values[at] & 0x7fffffffu);
    }
    found = max_of_workgroup(found, local);
    if (local == 0u) {
        max_abs_bits[index] = found;
    }
}
