var<workgroup> tops: array<u32, 64>;

// The largest `value` of a workgroup's 64 invocations, which all call this.
fn max_of_workgroup(value: u32, local: u32) -> u32 {
    tops[local] = value;
    workgroupBarrier();
    for (var width = 32u; width > 0u; width /= 2u) {
        if (local < width) {
            tops[local] = max(tops[local], tops[local + width]);
        }
        workgroupBarrier();
    }
    return tops[0];
}
