// A level of a grid: cells per side, corners per side, the number of entries, the index of the
// first entry among those of all levels, and whether corners are hashed.
// Twin: src/network/encoding/grid.rs.
struct GridLevel {
    scale: f32,
    resolution: u32,
    size: u32,
    first: u32,
    hashed: bool,
}

// The lowest corner of the cell of a point of the unit cube.
fn grid_cell(x: vec3<f32>, level: GridLevel) -> vec3<u32> {
    // One product, which every device rounds alike, and the half in integers: floor(s x + ½) is
    // (floor(2 s x) + 1) / 2. No fused multiply-add can change it.
    let doubled = floor((2.0 * level.scale) * clamp(x, vec3<f32>(), vec3<f32>(1.0)));
    return (vec3<u32>(doubled) + 1u) >> vec3<u32>(1u);
}

// The distance of the point from that corner, in cells.
fn grid_fraction(x: vec3<f32>, cell: vec3<u32>, level: GridLevel) -> vec3<f32> {
    return level.scale * clamp(x, vec3<f32>(), vec3<f32>(1.0)) + 0.5 - vec3<f32>(cell);
}

fn grid_corner(c: u32) -> vec3<u32> {
    return vec3<u32>(c & 1u, (c >> 1u) & 1u, c >> 2u);
}

// The index of a corner's entry among those of all levels.
fn grid_entry(corner: vec3<u32>, level: GridLevel) -> u32 {
    let c = min(corner, vec3<u32>(level.resolution - 1u));
    let mixed = (c.x ^ (c.y * 2654435761u) ^ (c.z * 805459861u)) & (level.size - 1u);
    let dense = c.x + level.resolution * (c.y + level.resolution * c.z);
    return level.first + select(dense, mixed, level.hashed);
}

// The weights of the upper corners, for all dimensions.
fn grid_shares(f: vec3<f32>) -> vec3<f32> {
    return select(f, f * f * (3.0 - 2.0 * f), GRID_SMOOTH);
}

// The factor of each dimension in a corner's weight. A missing third dimension has the factor 1.
fn grid_factors(corner: vec3<u32>, shares: vec3<f32>) -> vec3<f32> {
    let factors = select(1.0 - shares, shares, corner == vec3<u32>(1u));
    return select(vec3<f32>(factors.xy, 1.0), factors, GRID_CORNERS == 8u);
}

// The first coordinate that is not finite; the clamp would hide it.
fn grid_fault(x: vec3<f32>) -> f32 {
    return select(select(x.x, x.y, is_finite(x.x)), x.z, is_finite(x.x) && is_finite(x.y));
}

// A chunk of a level's features at x, from the tables that begin at element `first` of a buffer.
fn grid_value(x: vec3<f32>, level: GridLevel, first: u32) -> GridFeatures {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let shares = grid_shares(grid_fraction(at, cell, level));
    var sum = GridFeatures();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let features = grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
        sum += factors.x * factors.y * factors.z * features;
    }
    let fault = grid_fault(x);
    return select(GridFeatures(fault), sum, is_finite(fault));
}

// The gradient of dot(dy, features) with respect to x.
fn grid_vjp(x: vec3<f32>, level: GridLevel, first: u32, dy: GridFeatures) -> vec3<f32> {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let f = grid_fraction(at, cell, level);
    let shares = grid_shares(f);
    let derivatives = level.scale * select(vec3<f32>(1.0), 6.0 * f * (1.0 - f), GRID_SMOOTH);
    var sum = vec3<f32>();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let others = vec3<f32>(factors.y * factors.z, factors.x * factors.z, factors.x * factors.y);
        let features = grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
        let along = select(-derivatives, derivatives, corner == vec3<u32>(1u)) * others;
        sum += along * grid_dot(dy, features);
    }
    // The features are constant beyond the box.
    let inside = at == clamp(at, vec3<f32>(), vec3<f32>(1.0));
    return grid_from_unit(select(vec3<f32>(), sum, inside));
}
