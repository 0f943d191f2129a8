// Counts the elements of a matrix that are not finite or out of their column's range, and the rows
// that do not sum to 1, and finds the first of each. The counts must be 0 before, and the first
// elements 0xffffffff. Definition: src/kernels/measure/domain.rs.

// Whether each row is a distribution.
override SUMS: bool = false;

@compute @workgroup_size(64)
fn domain(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = (group.y * groups.x + group.x) * 64u + local;
    if (index >= params.rows * params.columns) {
        return;
    }
    let value = values[index];
    let column = index % params.columns;
    if (!is_finite(value)) {
        fault(0u, index);
    } else {
        let range = range_of(column);
        if (value < range.x || value > range.y) {
            fault(1u, index);
        }
    }
    if (SUMS && column == 0u) {
        var sum = 0.0;
        for (var c = 0u; c < params.columns; c++) {
            sum += values[index + c];
        }
        if (!is_finite(sum) || abs(sum - 1.0) > params.tolerance) {
            fault(2u, index);
        }
    }
}

fn fault(kind: u32, index: u32) {
    atomicAdd(&faults[2u * kind], 1u);
    atomicMin(&faults[2u * kind + 1u], index);
}
