// The tangents of a grid's outputs along a step v of its inputs, and what their gradients give.
// Twin: src/network/encoding/grid.rs.

// A step of the inputs, in cells of a level.
fn grid_steps(v: GridPoint, level: GridLevel) -> GridPoint {
    return level.scale * grid_from_unit(v);
}

// The derivative and the second derivative of the weight of a dimension's upper corner.
fn grid_slopes(f: GridPoint) -> GridPoint {
    return select(GridPoint(1.0), 6.0 * f * (1.0 - f), GRID_SMOOTH);
}

fn grid_bends(f: GridPoint) -> GridPoint {
    return select(GridPoint(), 6.0 - 12.0 * f, GRID_SMOOTH);
}

// 1 where a point of the unit cube's coordinates lie in it, else 0: the features are constant beyond.
fn grid_inside(at: GridPoint) -> GridPoint {
    return select(GridPoint(), GridPoint(1.0), at == clamp(at, GridPoint(), GridPoint(1.0)));
}

// A chunk of the tangents of a level's features.
fn grid_tangent(x: GridPoint, v: GridPoint, level: GridLevel, first: u32) -> GridFeatures {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let f = grid_fraction(at, cell, level);
    let shares = grid_shares(f);
    let slopes = grid_steps(v, level) * grid_inside(at) * grid_slopes(f);
    var sum = GridFeatures();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let others = grid_other_factors(grid_factors(corner, shares));
        let along = dot(select(-slopes, slopes, corner == GridCell(1u)), others);
        sum += along * grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
    }
    return sum;
}

// The gradient of dot(dy, features) + dot(of_tangent, tangents) with respect to x.
fn grid_vjp_of_both(
    x: GridPoint,
    v: GridPoint,
    level: GridLevel,
    first: u32,
    dy: GridFeatures,
    of_tangent: GridFeatures,
) -> GridPoint {
    let at = grid_to_unit(x);
    let cell = grid_cell(at, level);
    let f = grid_fraction(at, cell, level);
    let shares = grid_shares(f);
    let inside = grid_inside(at);
    let steps = grid_steps(v, level) * inside;
    let slopes = grid_slopes(f);
    let bends = steps * grid_bends(f);
    var sum = GridPoint();
    for (var c = 0u; c < GRID_CORNERS; c++) {
        let corner = grid_corner(c);
        let up = corner == GridCell(1u);
        let factors = grid_factors(corner, shares);
        let others = grid_other_factors(factors);
        let slope = select(-slopes, slopes, up);
        let bend = select(-bends, bends, up) * others
            + slope * grid_other_factors_along(factors, slope * steps);
        let features = grid_features(first + grid_entry(cell + corner, level) * GRID_FEATURES);
        sum += grid_dot(dy, features) * slope * others + grid_dot(of_tangent, features) * bend;
    }
    return grid_from_unit(level.scale * inside * sum);
}
