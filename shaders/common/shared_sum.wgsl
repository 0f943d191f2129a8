// A value's sum over its splits by eight invocations of a workgroup of 64. Needs the buffers of
// reduce.wgsl, and scalar.wgsl or vec4.wgsl.
var<workgroup> shares: array<Lanes, 64>;

// The sum of value `i`, in the first of the eight invocations that share it: they are eight apart.
// Each takes every eighth split.
fn shared_sum(i: u32, elements: u32, local: u32) -> Lanes {
    let at = min(i, (elements + LANES - 1u) / LANES - 1u);
    var sum = Lanes();
    for (var split = local / 8u; split < params.splits; split += 64u) {
        let v0 = part(at, split);
        let v1 = part(at, split + 8u);
        let v2 = part(at, split + 16u);
        let v3 = part(at, split + 24u);
        let v4 = part(at, split + 32u);
        let v5 = part(at, split + 40u);
        let v6 = part(at, split + 48u);
        let v7 = part(at, split + 56u);
        sum += ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7));
    }
    shares[local] = sum;
    workgroupBarrier();
    let column = local % 8u;
    return ((shares[column] + shares[column + 8u]) + (shares[column + 16u] + shares[column + 24u]))
        + ((shares[column + 32u] + shares[column + 40u]) + (shares[column + 48u] + shares[column + 56u]));
}

// Split `split` of value `i`, or 0 where there is no such split: it is loaded in any case, so that no
// load waits for a branch.
fn part(i: u32, split: u32) -> Lanes {
    let value = unpacked(partial_gradient[min(split, params.splits - 1u) * (params.split_stride / LANES) + i]);
    return select(Lanes(), value, split < params.splits);
}
