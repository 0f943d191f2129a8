// Writes the words of other dispatches' parameters that depend on the number of rows, one word per
// invocation. Definition: src/kernels/step/count_rows.rs.

@compute @workgroup_size(64)
fn count_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.words) {
        return;
    }
    let rows = min(count[0], params.most);
    let all = table[6u * index + 1u];
    let first = table[6u * index + 2u];
    let per = table[6u * index + 4u];
    var word = min(((rows - min(rows, first)) * table[6u * index + 3u] + per - 1u) / per, all);
    if (table[6u * index + 5u] != 0u) {
        word = bitcast<u32>(bitcast<f32>(all) * (f32(params.most) / f32(max(rows, 1u))));
    }
    words[table[6u * index]] = word;
}
