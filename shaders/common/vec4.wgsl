// Accesses elements four at a time: a quarter of the accesses. Needs stored_vec4.wgsl or
// stored_u64x2.wgsl.
alias Lanes = vec4<f32>;
const LANES: u32 = 4u;

fn lane_of(lanes: Lanes, lane: u32) -> f32 {
    return lanes[lane];
}

// Sets a bit for each element that is not finite.
fn not_finite(lanes: Lanes) -> u32 {
    return select(1u, 0u, is_finite(lanes.x))
        | select(2u, 0u, is_finite(lanes.y))
        | select(4u, 0u, is_finite(lanes.z))
        | select(8u, 0u, is_finite(lanes.w));
}

fn with_lane(lanes: Lanes, lane: u32, value: f32) -> Lanes {
    var changed = lanes;
    changed[lane] = value;
    return changed;
}
