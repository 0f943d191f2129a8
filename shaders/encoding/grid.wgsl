// A level of a grid: cells per side, corners per side (a number, or one for each dimension), the
// number of entries, the index of the first entry among those of all levels, and whether corners are
// hashed.
// Twin: src/network/level.rs.
struct GridLevel {
    scale: GridSides,
    resolution: GridResolution,
    size: u32,
    first: u32,
    hashed: bool,
}

// The lowest corner of the cell of a point of the unit cube.
fn grid_cell(x: GridPoint, level: GridLevel) -> GridCell {
    // One product, which every device rounds alike, and the half in integers: floor(s x + ½) is
    // (floor(2 s x) + 1) / 2. No fused multiply-add can change it.
    let doubled = floor((2.0 * level.scale) * clamp(x, GridPoint(), GridPoint(1.0)));
    return (GridCell(doubled) + 1u) >> GridCell(1u);
}

// The distance of the point from that corner, in cells.
fn grid_fraction(x: GridPoint, cell: GridCell, level: GridLevel) -> GridPoint {
    return level.scale * clamp(x, GridPoint(), GridPoint(1.0)) + 0.5 - GridPoint(cell);
}

// The index of a corner's entry among those of all levels.
fn grid_entry(corner: GridCell, level: GridLevel) -> u32 {
    let c = grid_held(corner, level);
    let mixed = grid_hash(c) & (level.size - 1u);
    return level.first + select(grid_index(c, level), mixed, level.hashed);
}

// The weights of the upper corners, for all dimensions.
fn grid_shares(f: GridPoint) -> GridPoint {
    return select(f, f * f * (3.0 - 2.0 * f), GRID_SMOOTH);
}

// A chunk of a level's features at x, from the tables that begin at element `first` of a buffer.
fn grid_value(x: GridPoint, level: GridLevel, first: u32) -> GridFeatures {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let shares = grid_shares(grid_fraction(at, cell, level));
    var sum = GridFeatures();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let features = grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
        sum += grid_product(factors) * features;
    }
    let fault = grid_fault(x);
    return select(GridFeatures(fault), sum, is_finite(fault));
}

// The gradient of dot(dy, features) with respect to x.
fn grid_vjp(x: GridPoint, level: GridLevel, first: u32, dy: GridFeatures) -> GridPoint {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let f = grid_fraction(at, cell, level);
    let shares = grid_shares(f);
    let derivatives = level.scale * select(GridPoint(1.0), 6.0 * f * (1.0 - f), GRID_SMOOTH);
    var sum = GridPoint();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let factors = grid_factors(corner, shares);
        let features = grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
        let along = select(-derivatives, derivatives, corner == GridCell(1u)) * grid_other_factors(factors);
        sum += along * grid_dot(dy, features);
    }
    // The features are constant beyond the box.
    let inside = at == clamp(at, GridPoint(), GridPoint(1.0));
    return grid_from_unit(select(GridPoint(), sum, inside));
}
