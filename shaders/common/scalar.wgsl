// Accesses elements one at a time; vec4.wgsl accesses four at a time.
alias Lanes = f32;
alias Stored = f32;
const LANES: u32 = 1u;

fn unpacked(stored: Stored) -> Lanes {
    return stored;
}

fn packed(lanes: Lanes) -> Stored {
    return lanes;
}

fn lane_of(lanes: Lanes, lane: u32) -> f32 {
    return lanes;
}

// Sets a bit for each element that is not finite.
fn not_finite(lanes: Lanes) -> u32 {
    return select(1u, 0u, is_finite(lanes));
}

fn with_lane(lanes: Lanes, lane: u32, value: f32) -> Lanes {
    return value;
}
