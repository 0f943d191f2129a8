var<workgroup> sums: array<f32, 64>;

// The sum of `value` over a workgroup's 64 invocations, which all call this.
fn sum_of_workgroup(value: f32, local: u32) -> f32 {
    sums[local] = value;
    workgroupBarrier();
    for (var width = 32u; width > 0u; width /= 2u) {
        if (local < width) {
            sums[local] += sums[local + width];
        }
        workgroupBarrier();
    }
    return sums[0];
}
